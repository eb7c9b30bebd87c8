//! Events over several lines are one record each, and what follows them is another one.

use crate::samples::sample;

sample!(
    traces_of_php_are_whole,
    r#"[2026-04-05 06:07:08] production.ERROR: no such user {"exception":"[object] (App\\NoUser(code: 0): no such user at /app/a.php:12)
[stacktrace]
#0 /app/b.php(3): App\\B->find()
#1 {main}

[previous exception] [object] (PDOException(code: 0): gone at /app/c.php:3)
[stacktrace]
#0 /app/d.php(3): App\\D->find()
"} 
[2026-04-05 06:07:09] production.ERROR: of sql {"exception":"[object] (QueryException(code: 1): no (SQL: select *
from users) at /app/a.php:12)
[stacktrace]
#0 /app/b.php(3): App\\B->find()
"}
[2026-04-05 06:07:10] production.INFO: next
#7 is the number of a ticket
PHP Fatal error:  Uncaught Exception: no in /app/a.php:3
Stack trace:
#0 /app/b.php(3): f()
#1 {main}

Next RuntimeException: again in /app/a.php:9
Stack trace:
#0 {main}
  thrown in /app/a.php on line 9
[05-Apr-2026 06:07:11 UTC] PHP Warning:  Undefined variable $a in /app/a.php on line 4
[05-Apr-2026 06:07:11 UTC] PHP Stack trace:
[05-Apr-2026 06:07:11 UTC] PHP   1. {main}() /app/a.php:0
[05-Apr-2026 06:07:11 UTC] PHP   2. f() /app/a.php:7
[05-Apr-2026 06:07:12 UTC] PHP Notice:  next"#
);

sample!(
    slow_queries_of_mysql_are_whole,
    "# Time: 2026-04-05T06:07:08.123456Z
# User@Host: shop[shop] @ localhost []  Id:    12
# Query_time: 2.5  Lock_time: 0.000012 Rows_sent: 1  Rows_examined: 100000
use shop;
SET timestamp=1775369228;
SELECT *
FROM orders
WHERE id = 1;
# User@Host: shop[shop] @ localhost []  Id:    13
# Query_time: 3.5  Lock_time: 0.000012 Rows_sent: 1  Rows_examined: 100000
SELECT 2;
# Time: 2026-04-05T06:07:09.123456Z
# User@Host: shop[shop] @ localhost []  Id:    12
# Query_time: 1.5  Lock_time: 0 Rows_sent: 1  Rows_examined: 1
SELECT 3;
an ordinary line"
);

sample!(
    panics_of_go_and_rust_are_whole,
    "panic: runtime error: invalid memory address [recovered]
\tpanic: again
[signal SIGSEGV: segmentation violation code=0x1 addr=0x0 pc=0x4]

goroutine 1 [running]:
main.f(...)
\t/app/main.go:7
main.main()
\t/app/main.go:3 +0x1d

goroutine 7 [select, 2 minutes]:
net/http.(*Server).Serve(0xc000)
\t/go/net/http/server.go:3 +0x1d
created by main.g in goroutine 1
\t/app/main.go:9 +0x1d
exit status 2
2026/04/05 06:07:08 http: panic serving 192.0.2.7:5000: no
goroutine 34 [running]:
main.h()
\t/app/main.go:7
next of go
thread 'main' panicked at src/main.rs:2:5:
index out of bounds: the len is 3 but the index is 5
note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace
next of rust
thread 'worker' (77) panicked at src/main.rs:2:5:
assertion `left == right` failed
  left: 1
 right: 2
stack backtrace:
   0: rust_begin_unwind
             at /rustc/a/panicking.rs:1:5
   1: shop::main
note: Some details are omitted, run with `RUST_BACKTRACE=full` for a verbose backtrace.
next of rust"
);

sample!(
    records_of_java_logging_are_whole,
    "Apr 05, 2026 6:07:08 AM com.example.Cart place
SEVERE: could not place
java.lang.IllegalStateException: no
\tat com.example.Cart.place(Cart.java:12)
Caused by: java.lang.RuntimeException: x
\t... 3 more
Apr 05, 2026 6:07:09\u{202f}PM com.example.Cart place
INFO: next
INFO: of another logger"
);

sample!(
    messages_of_exceptions_over_several_lines_are_whole,
    "2026-04-05 06:07:08,250 ERROR shop no
Traceback (most recent call last):
  File \"a.py\", line 1, in f
    g()
sqlalchemy.exc.OperationalError: (psycopg2.OperationalError) connection refused
Is the server running?
[SQL: SELECT 1]
(Background on this error at: https://sqlalche.example/e/e3q8)
2026-04-05 06:07:09,250 INFO shop next
Traceback (most recent call last):
  File \"a.py\", line 1, in f
psycopg2.errors.UniqueViolation: duplicate key
DETAIL:  Key (id)=(1) already exists.
an ordinary line
2026-04-05 06:07:10.250 ERROR [main] shop.Cart - no
java.lang.IllegalStateException: first
second line
\tat a.B.c(B.java:1)
an ordinary line behind it"
);

sample!(
    traces_of_ruby_and_node_are_whole,
    "app.rb:3:in 'total': no such cart (ArgumentError)
\tfrom app.rb:7:in '<main>'
next of ruby
F, [2026-04-05T06:07:08.123456 #4711] FATAL -- : 
ActiveRecord::RecordNotFound (no such cart):

app/models/cart.rb:3:in 'Cart.total'
app/controllers/carts_controller.rb:7:in 'show'
I, [2026-04-05T06:07:09.123456 #4711]  INFO -- : next
/app/server.js:12
    throw new TypeError('no');
    ^

TypeError: no
    at f (/app/server.js:12:11)
    at node:internal/main:28:49 {
  code: 'E1'
}

Node.js v22.11.0
next of node"
);

sample!(
    traces_of_interleaved_services_are_whole,
    "\u{1b}[36mweb-1  |\u{1b}[0m Traceback (most recent call last):
\u{1b}[33mdb-1   | \u{1b}[0m2026-04-05 06:07:08 LOG:  a
\u{1b}[36mweb-1  |\u{1b}[0m   File \"a.py\", line 1
\u{1b}[36mweb-1  | \u{1b}[0m    f()
\u{1b}[33mdb-1   | \u{1b}[0mERROR of db
\u{1b}[33mdb-1   | \u{1b}[0m    at an indent
\u{1b}[36mweb-1  |\u{1b}[0m ValueError: no
\u{1b}[33mdb-1   |\u{1b}[0m {\"msg\":\"of db\",\"level\":\"warn\"}
\u{1b}[36mweb-1  |\u{1b}[0m next
\u{1b}[35mcache  |\u{1b}[0m of a container with a name of its own
web-1 exited with code 1
cache  | is no name without a colour"
);

sample!(
    lines_of_stern_in_text,
    "shop-5d8f7c9b4-x2z4k shop 2026-04-05 06:07:08 ERROR no
shop-5d8f7c9b4-q7w2k shop of another pod
shop-5d8f7c9b4-x2z4k shop     at f (a.js:1:2)
\u{1b}[32mdb-0\u{1b}[0m \u{1b}[92mpostgres\u{1b}[0m of a set
db-0 postgres is a sentence
+ shop-5d8f7c9b4-x2z4k › shop"
);

sample!(
    requests_of_rails_are_joined,
    r#"Started GET "/carts?a=1" for 192.0.2.7 at 2026-04-05 06:07:08 +0200
Processing by CartsController#show as HTML
  Rendered carts/show.html.erb (Duration: 3.0ms)
Completed 200 OK in 12ms (Views: 3.2ms | ActiveRecord: 1.0ms)
I, [2026-04-05T06:07:09.123456 #4711]  INFO -- : [id-1] Started POST "/a" for 192.0.2.7 at 2026-04-05 06:07:09 +0000
I, [2026-04-05T06:07:09.223456 #4711]  INFO -- : [id-2] Started GET "/b" for 192.0.2.8 at 2026-04-05 06:07:09 +0000
I, [2026-04-05T06:07:09.323456 #4711]  INFO -- : [id-1] Completed 422 Unprocessable Content in 200ms
I, [2026-04-05T06:07:09.423456 #4711]  INFO -- : [id-2] Completed 500 Internal Server Error in 1.5s
Started GET "/x" for 192.0.2.7 at 2026-04-05 06:07:10 +0000
Started GET "/y" for 192.0.2.7 at 2026-04-05 06:07:10 +0000
Completed 200 OK in 1ms
Completed 200 OK in 2ms
Completed 201 Created in 3ms
Started GET "/z" for 192.0.2.7 at 2026-04-05 06:07:11 +0000
Completed 204 No Content in 4ms
Started job "/z" for us at once"#
);

#[test]
fn part_of_an_earlier_line_does_not_go_on_with_a_later_one() {
    let lines = [
        r#"{"log":" n=3 of a part","time":"2026-10-11T11:13:14.5Z"}"#,
        r#"{"log":"whole\n","stream":"stdout","time":"2026-10-11T11:13:15.5Z"}"#,
        r#"{"log":"cut off\n","stream":"stdo"#,
    ];
    let mut decoder = lookback_formats::Decoder::new(lookback_formats::Options::default());
    let mut entries = Vec::new();
    for line in lines {
        decoder.line(line.as_bytes(), &mut entries).unwrap();
    }
    decoder.finish(&mut entries);
    let mut numbers: Vec<_> = entries.iter().map(|entry| entry.lines.clone()).collect();
    numbers.sort_by_key(|lines| *lines.start());
    assert_eq!(numbers, [1..=1, 2..=2, 3..=3]);
}
