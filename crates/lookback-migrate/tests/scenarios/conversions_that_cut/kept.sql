SELECT length = '2 days 04:00' AND pause = '00:10:01' AND grade = 'b' AND owner = repeat('o', 63)
    AND switches = B'101101' AND host = '10.0.0.0/8' AND drawn = 12.3
FROM shifts;
