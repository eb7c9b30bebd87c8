INSERT INTO shifts VALUES
    (1, '2 days 04:05:06', '00:10:00.7', 'best', repeat('o', 70), '1011011', '10.1.2.3/8', 12.345);
