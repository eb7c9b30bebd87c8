//! Requests as servers of many kinds write them, and what they become.

use crate::samples::sample;

sample!(
    buckets_and_classic_load_balancers_of_amazon,
    r#"a1b2c3 shop-media [05/Apr/2026:06:07:08 +0000] 192.0.2.7 arn:aws:iam::1:user/anna 3E57427F REST.GET.OBJECT photos/a+b.jpg "GET /shop-media/photos/a%2Bb.jpg?versionId=7 HTTP/1.1" 404 NoSuchKey 113 - 7 6 "-" "aws-cli/2.15" - s9lzHYr= SigV4 ECDHE-RSA-AES128-GCM-SHA256 AuthHeader shop-media.s3.example TLSv1.3 - -
a1b2c3 shop-media [05/Apr/2026:06:07:09 +0000] - AmazonS3 3E57427E S3.EXPIRE.OBJECT photos/old.jpg "-" - - - 1024 - - "-" "-" - s9lzHYr= - - - - - - -
2026-04-05T06:07:10.123456Z shop-elb 192.0.2.7:2817 10.0.0.1:80 0.000073 0.012 0.000057 503 503 0 29 "GET http://shop.example:80/a?b=1 HTTP/1.1" "curl/8.7" - -
2026-04-05T06:07:11.123456Z the queue of shop has 0.1 0.2 0.3 jobs"#
);

sample!(
    columns_that_a_line_names,
    "#Software: Microsoft Internet Information Services 10.0\r\n\
     #Version: 1.0\r\n\
     #Date: 2026-04-05 06:07:08\r\n\
     #Fields: date time s-ip cs-method cs-uri-stem cs-uri-query cs-username c-ip cs(User-Agent) sc-status time-taken\r\n\
     2026-04-05 06:07:08 10.0.0.4 POST /cart id=7&token=t1 anna 192.0.2.7 Mozilla/5.0+(Windows+NT+10.0) 500 31\r\n\
     2026-04-05 06:07:09 INFO a line of another program\r\n\
     #Fields: date time cs-method cs-uri-stem sc-status\r\n\
     2026-04-05 06:07:10 GET /after 204\r\n\
     #Fields: date time x-edge-location c-ip cs-method cs(Host) cs-uri-stem sc-status cs(User-Agent) cs-uri-query cs(Cookie) x-host-header time-taken\n\
     2026-04-05\t06:07:11\tFRA2-C1\t192.0.2.7\tGET\td1.cdn.example\t/a.html\t000\tMozilla/5.0%20(X11)\ta=1\tsid=s1\tshop.example\t0.0015\n\
     #Fields: date time action protocol src-ip\n\
     2026-04-05 06:07:12 DROP UDP 192.0.2.7"
);

sample!(
    columns_whose_names_were_not_read,
    "2026-04-05 06:07:08 10.0.0.4 GET /cart - 443 - 192.0.2.7 curl/8.7 - 200 0 0 31\n\
     2026-04-05 06:07:08 of fifteen words this line is a sentence and not one of any server\n\
     2026-04-05\t06:07:11\tFRA2\t392\t192.0.2.7\tGET\td1.cdn.example\t/a\t200\t-\tcurl\t-\t-\tHit\tid1\tshop.example\thttps\t23\t0.001\t-\tTLSv1.3\tTLS_AES\tHit\tHTTP/2.0\t-\t-\t1234\t0.001\tHit\ttext/html\t78\t-\t-"
);

sample!(
    requests_of_haproxy,
    r#"Apr  5 06:07:08 lb1 haproxy[14389]: 192.0.2.7:33317 [05/Apr/2026:06:07:08.655] http-in shop/web1 10/0/30/69/109 200 2750 - - ---- 1/1/1/1/0 0/0 {shop.example|curl} {} "GET /a?b=1 HTTP/1.1"
192.0.2.7:33317 [05/Apr/2026:06:07:09.655] http-in shop/<NOSRV> -1/-1/-1/-1/+5 -1 0 sid=s1 - CR-- 1/1/1/1/0 0/0 "<BADREQ>"
haproxy[7]: 192.0.2.7:33317 [05/Apr/2026:06:07:10.655] https~ shop/web1 0/0/1/2/3 404 99 - - ---- 1/1/1/1/0 0/0 "HEAD /c HTTP/2.0" 0/0/0/0/0 shop.example/TLSv1.3/AES
Apr  5 06:07:11 lb1 haproxy[14389]: Proxy shop started."#
);

sample!(
    requests_of_frameworks_in_text,
    r#"[GIN] 2026/04/05 - 06:07:08 | 200 |    1.234567ms |       192.0.2.7 | GET      "/a?b=1"
[GIN] 2026/04/05 - 06:07:09 | 500 |    1m2.5s |       192.0.2.7 | POST     /b
06:07:10 | 404 |   1.5ms | 192.0.2.7 | GET | /c | Cannot GET /c
[Sun Apr  5 06:07:11 2026] 192.0.2.7:52344 [200]: GET /d
[Sun Apr  5 06:07:12 2026] 192.0.2.7:52345 [404]: GET /e - No such file or directory
2026/04/05 06:07:13 "GET http://shop.example/f HTTP/1.1" from 192.0.2.7:52344 - 200 5B in 23.5ms
[2026-04-05T06:07:14Z INFO  actix_web::middleware::logger] 192.0.2.7 "GET /g HTTP/1.1" 200 15 "-" "-" 0.000345
[main] "GET /h HTTP/1.1" 200
2026-04-05T06:07:15Z info: GET /i 200 12.5 ms - 15
| 200 | is no table | of requests | at all | x"#
);

sample!(
    requests_of_express_and_others_in_words,
    "\u{1b}[0mGET /a?b=1 \u{1b}[32m200\u{1b}[0m 12.345 ms - 15\u{1b}[0m\n\
     GET /b 304 2 ms - -\n\
     GET /c 200 15 - 12.345 ms\n\
     ::1 - anna\n\
     ::1 anna GET /d HTTP/1.1 200 15 - 3 ms\n\
     GET /e - - ms - -\n \
     GET /f 200 in 12ms (compile: 3ms)\n\
     --> GET /g 200 12ms\n\
     --> POST /h 500 1s 1.2kb\n\
     <-- GET /i\n\
     GET /j 200 OK\n\
     GET /k 200 of the orders\n\
     POST the letter 200 12ms\n\
     the client sent GET /l 200 12ms"
);

sample!(
    access_lines_behind_what_a_logger_writes,
    r#"INFO:werkzeug:192.0.2.7 - - [05/Apr/2026 06:07:08] "GET /a HTTP/1.1" 200 -
2026-04-05 06:07:09,123 - werkzeug - INFO - 192.0.2.7 - - [05/Apr/2026 06:07:09] "GET /b HTTP/1.1" 404 -
shop.example:80 192.0.2.7 - anna [05/Apr/2026:06:07:10 +0000] "GET /c HTTP/1.1" 200 5 "-" "curl"
::1 - - [05/Apr/2026:06:07:11 +0000] "GET /d HTTP/1.1" 200 5 "-" "curl"
::ffff:192.0.2.7 - - [Sun, 05 Apr 2026 06:07:11 GMT] "GET /morgan HTTP/1.1" 200 5 "-" "curl"
192.0.2.7 - - [05/Apr/2026:06:07:12 +0000] "GET /e HTTP/1.1" 200 12 "-" "curl" rt=0.025 uct="0.001" kong_request_id: "k1" "x""#
);
