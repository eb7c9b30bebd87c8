SELECT nextval('"Odd ''name''"') = 2147483648
    AND (SELECT array_agg(seqtypid::regtype::text ORDER BY seqrelid::regclass::text)
         FROM pg_sequence) = '{bigint,bigint,integer,integer}';
