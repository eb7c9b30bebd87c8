INSERT INTO days VALUES ('bad');
