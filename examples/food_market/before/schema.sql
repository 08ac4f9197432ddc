-- The tables of the food market, for SQLite and PostgreSQL. Times are UTC, without a time zone.

CREATE TABLE "user" (
  id integer PRIMARY KEY,
  email varchar(255) UNIQUE,
  phone varchar(32) UNIQUE,
  password varchar(255),
  name varchar(255) NOT NULL,
  "createdAt" timestamp NOT NULL,
  "updatedAt" timestamp NOT NULL
);

CREATE TABLE role (
  id integer PRIMARY KEY,
  name varchar(64) NOT NULL UNIQUE
);

CREATE TABLE user_role (
  id integer PRIMARY KEY,
  "userId" integer NOT NULL REFERENCES "user" (id) ON DELETE CASCADE,
  "roleId" integer NOT NULL REFERENCES role (id) ON DELETE CASCADE
);

CREATE TABLE user_address (
  id integer PRIMARY KEY,
  "userId" integer NOT NULL REFERENCES "user" (id) ON DELETE CASCADE,
  label varchar(64) NOT NULL,
  street varchar(255) NOT NULL,
  city varchar(255) NOT NULL,
  postcode varchar(16) NOT NULL
);

CREATE TABLE vendors (
  id varchar(36) PRIMARY KEY,
  "userId" integer NOT NULL REFERENCES "user" (id) ON DELETE CASCADE,
  store_name varchar(255) NOT NULL,
  description varchar(1000),
  is_open boolean NOT NULL DEFAULT true,
  "createdAt" timestamp NOT NULL,
  "updatedAt" timestamp NOT NULL
);

CREATE TABLE vendor_menus (
  id varchar(36) PRIMARY KEY,
  "vendorId" varchar(36) NOT NULL REFERENCES vendors (id) ON DELETE CASCADE,
  title varchar(255) NOT NULL,
  price_cents integer NOT NULL
);

-- Bearer tokens of sessions, and what stands in the links we mail: 'session', 'reset_password' or 'verify_email'.
CREATE TABLE token (
  id integer PRIMARY KEY,
  "userId" integer NOT NULL REFERENCES "user" (id) ON DELETE CASCADE,
  type varchar(32) NOT NULL,
  token varchar(128) NOT NULL UNIQUE,
  "expiresAt" timestamp NOT NULL
);

CREATE INDEX token_user ON token ("userId");
CREATE INDEX user_role_user ON user_role ("userId");
CREATE INDEX vendors_user ON vendors ("userId");

INSERT INTO role (id, name) VALUES (1, 'customer'), (2, 'vendor'), (3, 'admin');
