-- The shop's database, as text. `sqlite3 shop.db < shop.sql` makes shop.db, which is committed beside it.
PRAGMA page_size = 4096;
PRAGMA journal_mode = DELETE;
PRAGMA application_id = 1953718640;
PRAGMA user_version = 3;

BEGIN;

CREATE TABLE product (
    id          INTEGER PRIMARY KEY,
    sku         TEXT NOT NULL UNIQUE,
    name        TEXT NOT NULL,
    price_cents INTEGER NOT NULL CHECK (price_cents >= 0)
);

-- `file` is a path below media/: the first link of dumprestore.toml.
CREATE TABLE product_photo (
    id         INTEGER PRIMARY KEY,
    product_id INTEGER NOT NULL REFERENCES product (id),
    file       TEXT NOT NULL,
    caption    TEXT
);
CREATE INDEX product_photo_product ON product_photo (product_id);

-- `content` is JSON whose blocks may show images, as URLs below /media/: the second link.
CREATE TABLE page (
    slug    TEXT PRIMARY KEY,
    content TEXT NOT NULL CHECK (json_valid(content))
) WITHOUT ROWID;

CREATE TABLE customer (
    id    INTEGER PRIMARY KEY,
    name  TEXT NOT NULL,
    email TEXT NOT NULL UNIQUE
);

CREATE TABLE purchase (
    id          INTEGER PRIMARY KEY,
    customer_id INTEGER NOT NULL REFERENCES customer (id),
    product_id  INTEGER NOT NULL REFERENCES product (id),
    quantity    INTEGER NOT NULL CHECK (quantity > 0),
    placed_at   TEXT NOT NULL
);

INSERT INTO product VALUES
    (1, 'TEA-POT-1', 'Teapot', 4900),
    (2, 'TEA-MUG-1', 'Blue mug', 1450),
    (3, 'TEA-MUG-2', 'Amber mug', 1450),
    (4, 'TEA-CUP-1', '茶杯', 2200);

INSERT INTO product_photo VALUES
    (1, 1, 'products/teapot.svg', 'The teapot'),
    (2, 2, 'products/blue mug.png', 'In blue'),
    (3, 3, 'products/mug#2.png', 'In amber'),
    (4, 4, 'products/茶杯.png', NULL);

INSERT INTO page VALUES
    ('home', '{"blocks": [{"image": "/media/.logo.svg"}, {"text": "Welcome"}, {"image": "/media/banners/autumn.svg"}]}'),
    ('about', '{"blocks": [{"text": "A small shop for tea."}, {"image": "/media/.logo.svg"}]}');

INSERT INTO customer VALUES
    (1, 'Ada', 'ada@example.org'),
    (2, 'Grace', 'grace@example.org');

INSERT INTO purchase VALUES
    (1, 1, 2, 4, '2026-10-02T09:14:00Z'),
    (2, 2, 4, 2, '2026-10-17T16:40:12Z'),
    (3, 1, 1, 1, '2026-10-29T20:03:55Z');

COMMIT;
