-- file: change
ALTER TYPE mood RENAME TO temper;
