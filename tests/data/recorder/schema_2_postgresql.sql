CREATE TABLE alembic_version (
    version_num VARCHAR(32) NOT NULL,
    CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
CREATE TABLE events (
    stream TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    subject TEXT NOT NULL,
    type TEXT NOT NULL,
    id TEXT NOT NULL,
    cause TEXT NOT NULL,
    time BIGINT NOT NULL,
    received BIGINT NOT NULL,
    headers BYTEA NOT NULL,
    body BYTEA NOT NULL,
    source TEXT NOT NULL,
    PRIMARY KEY (stream, sequence, received)
)
 PARTITION BY RANGE (received);
CREATE TABLE bars (
    stream TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    symbol TEXT NOT NULL,
    time BIGINT NOT NULL,
    received BIGINT NOT NULL,
    open NUMERIC,
    high NUMERIC,
    low NUMERIC,
    close NUMERIC,
    volume NUMERIC,
    period TEXT NOT NULL,
    PRIMARY KEY (stream, sequence, received)
)
 PARTITION BY RANGE (received);
CREATE INDEX bars_symbol ON bars (symbol, received);
CREATE TABLE signals (
    stream TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    id TEXT NOT NULL,
    symbol TEXT NOT NULL,
    time BIGINT NOT NULL,
    signal TEXT NOT NULL,
    strength NUMERIC,
    cause TEXT NOT NULL,
    source TEXT NOT NULL,
    PRIMARY KEY (stream, sequence)
);
CREATE INDEX signals_cause ON signals (symbol, cause);
CREATE TABLE orders (
    stream TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    id TEXT NOT NULL,
    request TEXT NOT NULL,
    order_id TEXT NOT NULL,
    symbol TEXT NOT NULL,
    time BIGINT NOT NULL,
    side TEXT NOT NULL,
    quantity NUMERIC,
    type TEXT NOT NULL,
    time_in_force TEXT NOT NULL,
    limit_price NUMERIC,
    stop_price NUMERIC,
    take_profit NUMERIC,
    trail_price NUMERIC,
    trail_percent NUMERIC,
    stop_loss_limit NUMERIC,
    stop_loss NUMERIC,
    cause TEXT NOT NULL,
    source TEXT NOT NULL,
    PRIMARY KEY (stream, sequence)
);
CREATE INDEX orders_order_id ON orders (order_id);
CREATE TABLE executions (
    stream TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    id TEXT NOT NULL,
    order_id TEXT NOT NULL,
    symbol TEXT NOT NULL,
    time BIGINT NOT NULL,
    update TEXT NOT NULL,
    side TEXT NOT NULL,
    quantity NUMERIC,
    price NUMERIC,
    commission NUMERIC,
    leaves_quantity NUMERIC,
    reason TEXT NOT NULL,
    booked BIGINT NOT NULL,
    source TEXT NOT NULL,
    PRIMARY KEY (stream, sequence)
);
CREATE INDEX executions_order_id ON executions (order_id);
CREATE INDEX executions_time ON executions (booked, time);
CREATE TABLE denials (
    stream TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    id TEXT NOT NULL,
    order_id TEXT NOT NULL,
    symbol TEXT NOT NULL,
    time BIGINT NOT NULL,
    component TEXT NOT NULL,
    reason TEXT NOT NULL,
    detail TEXT NOT NULL,
    PRIMARY KEY (stream, sequence)
);
CREATE INDEX denials_order_id ON denials (order_id);
CREATE TABLE control (
    stream TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    id TEXT NOT NULL,
    time BIGINT NOT NULL,
    state TEXT NOT NULL,
    reason TEXT NOT NULL,
    sender TEXT NOT NULL,
    PRIMARY KEY (stream, sequence)
);
CREATE TABLE trades (
    stream TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    number BIGINT NOT NULL,
    order_id TEXT NOT NULL,
    symbol TEXT NOT NULL,
    time BIGINT NOT NULL,
    side TEXT NOT NULL,
    entry_time BIGINT NOT NULL,
    quantity NUMERIC,
    entry_price NUMERIC,
    exit_price NUMERIC,
    pnl NUMERIC,
    commission NUMERIC,
    exit_fills BIGINT NOT NULL,
    PRIMARY KEY (stream, sequence)
);
CREATE INDEX trades_order_id ON trades (order_id);
CREATE TABLE position_changes (
    stream TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    symbol TEXT NOT NULL,
    time BIGINT NOT NULL,
    quantity NUMERIC,
    cost NUMERIC,
    realized_pnl NUMERIC,
    PRIMARY KEY (stream, sequence)
);
CREATE INDEX position_changes_symbol ON position_changes (symbol, time);
CREATE TABLE account_snapshots (
    stream TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    time BIGINT NOT NULL,
    cash_flow NUMERIC,
    realized_pnl NUMERIC,
    commissions NUMERIC,
    PRIMARY KEY (stream, sequence)
);
CREATE INDEX account_snapshots_time ON account_snapshots (time);
CREATE TABLE books (
    scope TEXT NOT NULL,
    name TEXT NOT NULL,
    state BYTEA NOT NULL,
    PRIMARY KEY (scope, name)
);
CREATE TABLE position (
    stream TEXT NOT NULL,
    scope TEXT NOT NULL,
    name TEXT NOT NULL,
    epoch BIGINT NOT NULL,
    sequence BIGINT NOT NULL,
    mark BIGINT NOT NULL,
    holder TEXT NOT NULL,
    since BIGINT NOT NULL,
    PRIMARY KEY (stream)
);
CREATE TABLE gaps (
    stream TEXT NOT NULL,
    first BIGINT NOT NULL,
    last BIGINT NOT NULL,
    time BIGINT NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (stream, first)
);
CREATE TABLE runs (
    id TEXT NOT NULL,
    app TEXT NOT NULL,
    kind TEXT NOT NULL,
    started BIGINT NOT NULL,
    ended BIGINT NOT NULL,
    digest TEXT NOT NULL,
    parameters TEXT NOT NULL,
    stats TEXT NOT NULL,
    PRIMARY KEY (id)
);
INSERT INTO alembic_version (version_num) VALUES ('1') RETURNING alembic_version.version_num;
CREATE TABLE retention (
    stream TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    kept_from BIGINT NOT NULL,
    deleted BIGINT NOT NULL,
    archive TEXT NOT NULL,
    PRIMARY KEY (stream)
);
CREATE TABLE opening_books (
    scope TEXT NOT NULL,
    name TEXT NOT NULL,
    state BYTEA NOT NULL,
    PRIMARY KEY (scope, name)
);
CREATE INDEX events_received ON events USING brin (received);
ALTER TABLE signals ADD COLUMN cause_time BIGINT DEFAULT '0' NOT NULL;
ALTER TABLE orders ADD COLUMN cause_time BIGINT DEFAULT '0' NOT NULL;
UPDATE events SET cause = '' WHERE type IN ('SignalEvent', 'OrderEvent');
DROP INDEX signals_cause;
CREATE INDEX signals_id ON signals (id);
CREATE INDEX signals_cause_time ON signals (symbol, cause_time);
UPDATE alembic_version SET version_num='2' WHERE alembic_version.version_num = '1';
CREATE VIEW account_snapshots_iso AS SELECT "stream", "sequence", to_char(to_timestamp((("time" - mod((mod("time", 1000000000) + 1000000000), 1000000000)) / 1000000000)) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS') || '.' || lpad(mod((mod("time", 1000000000) + 1000000000), 1000000000)::text, 9, '0') || 'Z' AS "time", "cash_flow", "realized_pnl", "commissions" FROM account_snapshots;
CREATE VIEW bars_iso AS SELECT "stream", "sequence", "symbol", to_char(to_timestamp((("time" - mod((mod("time", 1000000000) + 1000000000), 1000000000)) / 1000000000)) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS') || '.' || lpad(mod((mod("time", 1000000000) + 1000000000), 1000000000)::text, 9, '0') || 'Z' AS "time", to_char(to_timestamp((("received" - mod((mod("received", 1000000000) + 1000000000), 1000000000)) / 1000000000)) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS') || '.' || lpad(mod((mod("received", 1000000000) + 1000000000), 1000000000)::text, 9, '0') || 'Z' AS "received", "open", "high", "low", "close", "volume", "period" FROM bars;
CREATE VIEW control_iso AS SELECT "stream", "sequence", "id", to_char(to_timestamp((("time" - mod((mod("time", 1000000000) + 1000000000), 1000000000)) / 1000000000)) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS') || '.' || lpad(mod((mod("time", 1000000000) + 1000000000), 1000000000)::text, 9, '0') || 'Z' AS "time", "state", "reason", "sender" FROM control;
CREATE VIEW denials_iso AS SELECT "stream", "sequence", "id", "order_id", "symbol", to_char(to_timestamp((("time" - mod((mod("time", 1000000000) + 1000000000), 1000000000)) / 1000000000)) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS') || '.' || lpad(mod((mod("time", 1000000000) + 1000000000), 1000000000)::text, 9, '0') || 'Z' AS "time", "component", "reason", "detail" FROM denials;
CREATE VIEW events_iso AS SELECT "stream", "sequence", "subject", "type", "id", "cause", to_char(to_timestamp((("time" - mod((mod("time", 1000000000) + 1000000000), 1000000000)) / 1000000000)) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS') || '.' || lpad(mod((mod("time", 1000000000) + 1000000000), 1000000000)::text, 9, '0') || 'Z' AS "time", to_char(to_timestamp((("received" - mod((mod("received", 1000000000) + 1000000000), 1000000000)) / 1000000000)) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS') || '.' || lpad(mod((mod("received", 1000000000) + 1000000000), 1000000000)::text, 9, '0') || 'Z' AS "received", "headers", "body", "source" FROM events;
CREATE VIEW executions_iso AS SELECT "stream", "sequence", "id", "order_id", "symbol", to_char(to_timestamp((("time" - mod((mod("time", 1000000000) + 1000000000), 1000000000)) / 1000000000)) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS') || '.' || lpad(mod((mod("time", 1000000000) + 1000000000), 1000000000)::text, 9, '0') || 'Z' AS "time", "update", "side", "quantity", "price", "commission", "leaves_quantity", "reason", "booked", "source" FROM executions;
CREATE VIEW gaps_iso AS SELECT "stream", "first", "last", to_char(to_timestamp((("time" - mod((mod("time", 1000000000) + 1000000000), 1000000000)) / 1000000000)) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS') || '.' || lpad(mod((mod("time", 1000000000) + 1000000000), 1000000000)::text, 9, '0') || 'Z' AS "time", "reason" FROM gaps;
CREATE VIEW orders_iso AS SELECT "stream", "sequence", "id", "request", "order_id", "symbol", to_char(to_timestamp((("time" - mod((mod("time", 1000000000) + 1000000000), 1000000000)) / 1000000000)) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS') || '.' || lpad(mod((mod("time", 1000000000) + 1000000000), 1000000000)::text, 9, '0') || 'Z' AS "time", "side", "quantity", "type", "time_in_force", "limit_price", "stop_price", "take_profit", "trail_price", "trail_percent", "stop_loss_limit", "stop_loss", "cause", "source", to_char(to_timestamp((("cause_time" - mod((mod("cause_time", 1000000000) + 1000000000), 1000000000)) / 1000000000)) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS') || '.' || lpad(mod((mod("cause_time", 1000000000) + 1000000000), 1000000000)::text, 9, '0') || 'Z' AS "cause_time" FROM orders;
CREATE VIEW position_iso AS SELECT "stream", "scope", "name", "epoch", "sequence", to_char(to_timestamp((("mark" - mod((mod("mark", 1000000000) + 1000000000), 1000000000)) / 1000000000)) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS') || '.' || lpad(mod((mod("mark", 1000000000) + 1000000000), 1000000000)::text, 9, '0') || 'Z' AS "mark", "holder", to_char(to_timestamp((("since" - mod((mod("since", 1000000000) + 1000000000), 1000000000)) / 1000000000)) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS') || '.' || lpad(mod((mod("since", 1000000000) + 1000000000), 1000000000)::text, 9, '0') || 'Z' AS "since" FROM position;
CREATE VIEW position_changes_iso AS SELECT "stream", "sequence", "symbol", to_char(to_timestamp((("time" - mod((mod("time", 1000000000) + 1000000000), 1000000000)) / 1000000000)) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS') || '.' || lpad(mod((mod("time", 1000000000) + 1000000000), 1000000000)::text, 9, '0') || 'Z' AS "time", "quantity", "cost", "realized_pnl" FROM position_changes;
CREATE VIEW retention_iso AS SELECT "stream", "sequence", to_char(to_timestamp((("kept_from" - mod((mod("kept_from", 1000000000) + 1000000000), 1000000000)) / 1000000000)) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS') || '.' || lpad(mod((mod("kept_from", 1000000000) + 1000000000), 1000000000)::text, 9, '0') || 'Z' AS "kept_from", to_char(to_timestamp((("deleted" - mod((mod("deleted", 1000000000) + 1000000000), 1000000000)) / 1000000000)) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS') || '.' || lpad(mod((mod("deleted", 1000000000) + 1000000000), 1000000000)::text, 9, '0') || 'Z' AS "deleted", "archive" FROM retention;
CREATE VIEW runs_iso AS SELECT "id", "app", "kind", to_char(to_timestamp((("started" - mod((mod("started", 1000000000) + 1000000000), 1000000000)) / 1000000000)) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS') || '.' || lpad(mod((mod("started", 1000000000) + 1000000000), 1000000000)::text, 9, '0') || 'Z' AS "started", to_char(to_timestamp((("ended" - mod((mod("ended", 1000000000) + 1000000000), 1000000000)) / 1000000000)) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS') || '.' || lpad(mod((mod("ended", 1000000000) + 1000000000), 1000000000)::text, 9, '0') || 'Z' AS "ended", "digest", "parameters", "stats" FROM runs;
CREATE VIEW signals_iso AS SELECT "stream", "sequence", "id", "symbol", to_char(to_timestamp((("time" - mod((mod("time", 1000000000) + 1000000000), 1000000000)) / 1000000000)) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS') || '.' || lpad(mod((mod("time", 1000000000) + 1000000000), 1000000000)::text, 9, '0') || 'Z' AS "time", "signal", "strength", "cause", "source", to_char(to_timestamp((("cause_time" - mod((mod("cause_time", 1000000000) + 1000000000), 1000000000)) / 1000000000)) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS') || '.' || lpad(mod((mod("cause_time", 1000000000) + 1000000000), 1000000000)::text, 9, '0') || 'Z' AS "cause_time" FROM signals;
CREATE VIEW trades_iso AS SELECT "stream", "sequence", "number", "order_id", "symbol", to_char(to_timestamp((("time" - mod((mod("time", 1000000000) + 1000000000), 1000000000)) / 1000000000)) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS') || '.' || lpad(mod((mod("time", 1000000000) + 1000000000), 1000000000)::text, 9, '0') || 'Z' AS "time", "side", to_char(to_timestamp((("entry_time" - mod((mod("entry_time", 1000000000) + 1000000000), 1000000000)) / 1000000000)) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS') || '.' || lpad(mod((mod("entry_time", 1000000000) + 1000000000), 1000000000)::text, 9, '0') || 'Z' AS "entry_time", "quantity", "entry_price", "exit_price", "pnl", "commission", "exit_fills" FROM trades;
