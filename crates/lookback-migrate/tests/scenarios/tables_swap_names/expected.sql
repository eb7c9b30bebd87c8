-- file: change
ALTER TABLE spare RENAME TO spare__swap;

ALTER TABLE live RENAME TO spare;

ALTER TABLE spare__swap RENAME TO live;

ALTER TABLE spare RENAME CONSTRAINT live_a_key TO live_a_key__swap;

ALTER TABLE live RENAME CONSTRAINT spare_b_key TO live_a_key;

ALTER TABLE spare RENAME CONSTRAINT live_a_key__swap TO spare_b_key;

ALTER TABLE spare RENAME CONSTRAINT live_pkey TO live_pkey__swap;

ALTER TABLE live RENAME CONSTRAINT spare_pkey TO live_pkey;

ALTER TABLE spare RENAME CONSTRAINT live_pkey__swap TO spare_pkey;

ALTER INDEX live_a RENAME TO live_a__swap;

ALTER INDEX spare_b RENAME TO live_a;

ALTER INDEX live_a__swap RENAME TO spare_b;
