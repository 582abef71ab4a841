-- One transaction of the load: a sort that needs memory, and a write that has to be durable.
\set account random(1, 100000)
BEGIN;
SELECT count(*) FROM (SELECT aid FROM pgbench_accounts WHERE bid = 1 ORDER BY filler, aid DESC LIMIT 20000 OFFSET 1) AS sorted;
UPDATE pgbench_accounts SET abalance = abalance + 1 WHERE aid = :account;
COMMIT;
