// Better Auth behind node's own HTTP server; PEERS_VARIANT is database, cookie-cache, jwt or scrypt.
import { createServer } from "node:http";
import { Algorithm, hash, verify } from "@node-rs/argon2";
import { betterAuth } from "better-auth";
import { getMigrations } from "better-auth/db/migration";
import { fromNodeHeaders, toNodeHandler } from "better-auth/node";
import { jwt } from "better-auth/plugins";
import { createLocalJWKSet, jwtVerify } from "jose";
import { Pool } from "pg";

const variant = process.env.PEERS_VARIANT;
const lifetime = Number(process.env.PEERS_ACCESS_SECONDS);
const origin = process.env.PEERS_ORIGIN;
const cost = { algorithm: Algorithm.Argon2id, memoryCost: 19456, timeCost: 2, parallelism: 1 };
const argon2 = {
  hash: (password) => hash(password, cost),
  verify: ({ hash: stored, password }) => verify(stored, password),
};

const auth = betterAuth({
  baseURL: origin,
  secret: process.env.PEERS_SECRET,
  database: new Pool({ connectionString: process.env.PEERS_DATABASE_URL, max: 10 }),
  emailAndPassword: {
    enabled: true,
    autoSignIn: false,
    password: variant === "scrypt" ? undefined : argon2,
  },
  session: { cookieCache: { enabled: variant === "cookie-cache", maxAge: 300 } },
  advanced: { useSecureCookies: true },
  rateLimit: { enabled: false },
  telemetry: { enabled: false },
  logger: { level: "error" },
  plugins: variant === "jwt" ? [jwt({ jwt: { expirationTime: `${lifetime}s` } })] : [],
});

await (await getMigrations(auth.options)).runMigrations();
const answer = toNodeHandler(auth);

async function bySession(request) {
  const session = await auth.api.getSession({ headers: fromNodeHeaders(request.headers) });
  return session?.user.id;
}

let keys;
async function byToken(request) {
  // What a service beside Better Auth does: it fetches the key set once, then verifies alone.
  keys ??= createLocalJWKSet(await auth.api.getJwks());
  try {
    const token = (request.headers.authorization ?? "").replace("Bearer ", "");
    return (await jwtVerify(token, keys, { issuer: origin, audience: origin })).payload.sub;
  } catch {
    return undefined;
  }
}

const who = variant === "jwt" ? byToken : bySession;
const server = createServer(async (request, response) => {
  if (request.url !== "/hello") {
    return answer(request, response);
  }
  const id = await who(request);
  const body = JSON.stringify(id ? { id } : { error: "not signed in" });
  response.writeHead(id ? 200 : 401, { "content-type": "application/json", "content-length": body.length });
  response.end(body);
});
server.keepAliveTimeout = 60_000;
server.listen(Number(process.env.PEERS_PORT), "127.0.0.1");
