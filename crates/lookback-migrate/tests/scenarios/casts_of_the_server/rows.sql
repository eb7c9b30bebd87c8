INSERT INTO parcels VALUES (
    1, true, false, '1234.56', B'000000000101', 6, B'1', 'size=>big, fragile=>NULL', '[1,2,3]',
    '[1,4)', 'pg_class'::regclass, '{3,4}', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11',
    '"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"',
    '["a", "b]\", ''{c}", null]', '[3, 4]'
);
