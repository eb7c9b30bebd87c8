INSERT INTO members VALUES
    (1, 'Ann@example.org', '2020-01-01', 'a'), (2, 'ann@example.org', '2020-01-02', 'b');
