-- The shop's database, and a role that may do what the agent does and nothing else. Run as the owner of an empty database:
--   psql --dbname shop --file database.sql
-- and give the role a password afterwards: \password support_agent

CREATE SCHEMA shop;

CREATE TABLE shop.orders (
    id           bigint PRIMARY KEY,
    customer_id  bigint NOT NULL,
    item         text NOT NULL,
    price        numeric(8, 2) NOT NULL CHECK (price > 0),
    delivered_on date,
    UNIQUE (id, customer_id, price)
);

-- An order is refunded once, to who ordered it, and with what it cost: the table says so whatever an agent sends.
CREATE TABLE shop.refunds (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    order_id    bigint NOT NULL UNIQUE,
    customer_id bigint NOT NULL,
    amount      numeric(8, 2) NOT NULL,
    made_at     timestamptz NOT NULL DEFAULT now(),
    FOREIGN KEY (order_id, customer_id, amount) REFERENCES shop.orders (id, customer_id, price)
);

INSERT INTO shop.orders VALUES
    (1001, 7, 'Desk lamp', 49.90, current_date - 5),
    (1002, 7, 'Bookcase', 129.00, current_date - 90),
    (1003, 8, 'Armchair', 180.00, current_date - 3),
    (1004, 8, 'Dining table', 950.00, current_date - 3),
    (1005, 8, 'Side table', 75.00, current_date - 1);

CREATE ROLE support_agent LOGIN;
GRANT USAGE ON SCHEMA shop TO support_agent;
GRANT SELECT ON shop.orders, shop.refunds TO support_agent;
GRANT INSERT (order_id, customer_id, amount) ON shop.refunds TO support_agent;
