-- file: change
ALTER INDEX one RENAME TO two;
