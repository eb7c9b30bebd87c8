-- file: change
ALTER TABLE logs RENAME COLUMN b TO b__swap;

ALTER TABLE logs RENAME COLUMN a TO b;

ALTER TABLE logs RENAME COLUMN b__swap TO a;
