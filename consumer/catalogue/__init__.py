"""Finds the declared data sets, and answers what plan, dispatch, verdict, forecast and documents derive from them."""
