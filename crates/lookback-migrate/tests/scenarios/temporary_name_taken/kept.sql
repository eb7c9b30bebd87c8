SELECT (SELECT mood FROM people) = 'happy' AND (SELECT count(*) FROM mood__old) = 1;
