SELECT (sent, opened, price, flags, mask, switch) = (1, 0, 1234.56, 5, 6::bit(32), true)
    AND labels = '{"size": "big", "fragile": null}'
    AND place = '{1,2,3}' AND span = '{[1,4)}' AND kind = 'pg_class'::regclass
    AND weights = '[3,4]' AND body = '"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"'
    AND tags = ARRAY['a', 'b]", ''{c}', NULL] AND marks = '{3,4}'
    AND score = 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'
FROM parcels;
