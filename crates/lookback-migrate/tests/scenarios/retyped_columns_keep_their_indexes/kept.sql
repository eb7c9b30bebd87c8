SELECT (SELECT indisreplident FROM pg_index WHERE indexrelid = 'tickets_place'::regclass)
    AND (SELECT indisclustered FROM pg_index WHERE indexrelid = 'tickets_price'::regclass)
    AND obj_description('tickets_place'::regclass, 'pg_class') = 'the seller''s 100%'
    AND obj_description('tickets_code'::regclass, 'pg_class') = 'of the printer';
