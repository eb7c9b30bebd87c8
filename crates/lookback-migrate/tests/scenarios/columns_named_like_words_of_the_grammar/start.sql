CREATE TABLE visits (
    id integer PRIMARY KEY,
    month integer, zone text, at timestamptz NOT NULL, nfc text, "user" text, day integer,
    part integer GENERATED ALWAYS AS (extract(month FROM at AT TIME ZONE 'UTC')) STORED,
    CONSTRAINT visits_month CHECK (month = extract(month FROM at AT TIME ZONE 'UTC')),
    CONSTRAINT visits_nfc CHECK (normalize(nfc, NFC) = nfc AND nfc IS NFC NORMALIZED),
    CONSTRAINT visits_day CHECK (make_interval(days => day) < INTERVAL '40' DAY),
    CONSTRAINT visits_user CHECK ("user" <> '')
);
CREATE INDEX visits_part ON visits (extract(month FROM at AT TIME ZONE 'UTC'), month);
