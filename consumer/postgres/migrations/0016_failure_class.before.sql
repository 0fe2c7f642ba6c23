-- Why a part ended without its data, as a word that programs read; `reason` is for people. Of parts that failed before
-- this, and of those that did not fail, there is none. No CHECK: a newer release may write a class that this one does not know.
ALTER TABLE part ADD COLUMN failure_class text;
