// The certified OpenID provider with one client, on loopback; what differs from run to run stands in PROVIDER_… .
// Its own pages for signing in and consenting are left on. Everybody has an account: whatever name is given is one.
import { generateKeyPairSync, randomUUID } from "node:crypto";
import Provider from "oidc-provider";

const { PROVIDER_PORT, PROVIDER_CLIENT_SECRET, PROVIDER_CALLBACKS, PROVIDER_LOGOUT } = process.env;
const LONG = 3600;
const SHORT = 1;
const counted = { authorization_code: 0, refresh_token: 0, refused: 0, logouts: 0 };

// "unproven-…" has not proven the address.
function person(name) {
  return { sub: name, name, email: `${name}@example.org`, email_verified: !name.startsWith("unproven-") };
}

// The access tokens of "fleeting-…" end soon, of "brief-…" only the first one.
function lifetime(_, token) {
  const isFirst = token.gty === "authorization_code";
  const isShort = token.accountId.startsWith("fleeting-") || (isFirst && token.accountId.startsWith("brief-"));
  return isShort ? SHORT : LONG;
}

function signingKey(algorithm, type, options) {
  const { privateKey } = generateKeyPairSync(type, options);
  return { ...privateKey.export({ format: "jwk" }), kid: randomUUID(), alg: algorithm, use: "sig" };
}

const provider = new Provider(`http://127.0.0.1:${PROVIDER_PORT}`, {
  clients: [
    {
      client_id: "ostiary",
      client_secret: PROVIDER_CLIENT_SECRET,
      redirect_uris: PROVIDER_CALLBACKS.split(" "),
      grant_types: ["authorization_code", "refresh_token"],
      response_types: ["code"],
      backchannel_logout_uri: PROVIDER_LOGOUT,
      backchannel_logout_session_required: true,
    },
  ],
  claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name"] },
  cookies: { keys: [randomUUID()] },
  features: { backchannelLogout: { enabled: true } },
  // It refuses to call loopback, rightly; but here everybody lives there.
  fetch: (url, { dispatcher: _, ...options }) => globalThis.fetch(url, options),
  findAccount: (_, name) => ({ accountId: name, claims: () => person(name) }),
  issueRefreshToken: () => true,
  jwks: {
    keys: [
      signingKey("RS256", "rsa", { modulusLength: 2048 }),
      signingKey("ES256", "ec", { namedCurve: "P-256" }),
    ],
  },
  pkce: { required: () => true },
  rotateRefreshToken: true,
  ttl: { AccessToken: lifetime },
});

provider.on("grant.success", (context) => (counted[context.oidc.params.grant_type] += 1));
provider.on("grant.error", () => (counted.refused += 1));
provider.on("backchannel.success", () => (counted.logouts += 1));
provider.on("backchannel.error", (_, error) => console.error(error));
provider.on("server_error", (_, error) => console.error(error));
provider.use((context, next) => {
  if (context.path !== "/counted") {
    return next();
  }
  context.body = counted;
});
provider.listen(Number(PROVIDER_PORT), "127.0.0.1");
