SELECT (SELECT indisreplident FROM pg_index WHERE indexrelid = 'tickets_place'::regclass)
    AND (SELECT indisclustered FROM pg_index WHERE indexrelid = 'tickets_code_key'::regclass)
    AND obj_description('tickets_place'::regclass, 'pg_class') = 'the seller''s 100%'
    AND obj_description('tickets_code_key'::regclass, 'pg_class') = 'an index'
    AND (SELECT obj_description(oid, 'pg_constraint') FROM pg_constraint
         WHERE conname = 'tickets_code_key') = 'a key'
    AND (SELECT attstattarget FROM pg_attribute
         WHERE attrelid = '"tickets 100%"'::regclass AND attnum = 2) = 500;
