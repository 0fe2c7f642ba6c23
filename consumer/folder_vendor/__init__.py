"""A vendor that is a plain folder of tables: the worked example of docs/extending.md, and of use by itself."""
