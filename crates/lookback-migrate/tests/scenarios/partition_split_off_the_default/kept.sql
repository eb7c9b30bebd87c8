SELECT (SELECT count(*) FROM ONLY logs_1) = 1 AND (SELECT count(*) FROM logs) = 2;
