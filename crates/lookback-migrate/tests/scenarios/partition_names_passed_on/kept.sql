SELECT count(*) = 2 AND (SELECT count(*) FROM x) = 1 FROM rest;
