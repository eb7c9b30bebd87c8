ALTER TABLE sealed_segments ADD COLUMN ids int8multirange;

ALTER TABLE sealed_segments ADD COLUMN partitions text[];
