// node oidc-provider.mjs '{"algorithms":["RS256"]}': the certified OpenID provider of npm on a free port of 127.0.0.1, and
// beside it, on another port, what a test may do to it: rotate keys, make endpoints fail, count requests.
//
// Clients (id, secret), all with client_secret_basic or _post: `service` gets tokens, `gate` introspects, `gate+odd` too.
// Tokens: grant `client_credentials`, or `urn:tidegate:test:user` with `sub`. Both take, beside `scope` and `resource`:
// `audience`, `alg`, `format` (jwt, opaque), `lifetime`, `claims` and `header` (JSON; null takes a claim out, but `iat`).

import { createServer } from "node:http";
import { once } from "node:events";
import { randomUUID } from "node:crypto";
import { exportJWK, generateKeyPair } from "jose";
import Provider from "oidc-provider";

import { FAULTS } from "./faults.mjs";
import { options, ready } from "./lifeline.mjs";

const USER_GRANT = "urn:tidegate:test:user";
const SECRET = "secret-of-a-test-client-0123456789abcdef";
// Client ids and secrets go form-encoded into Basic credentials (RFC 6749, 2.3.1): these show who forgot it.
const ODD = { id: "gate+odd", secret: "a secret+with%41 :all=of&it" };
const ENDPOINTS = {
  "/jwks": "jwks",
  "/.well-known/openid-configuration": "discovery",
  "/token/introspection": "introspection",
  "/token": "token",
};

const { algorithms = ["RS256"] } = options();
const state = {
  keys: [], // private JWKs, as published
  signing: undefined, // the `kid` that signs where a request names no algorithm
  faults: {},
  headers: {},
  counts: {},
};
let serve; // the present provider's request handler

async function addKey(alg, kid = randomUUID()) {
  const { privateKey } = await generateKeyPair(alg, { extractable: true });
  state.keys.push({ ...(await exportJWK(privateKey)), kid, alg, use: "sig" });
  return kid;
}

/** Tokens and grants outlive a change of keys, since all of a process's providers share this. */
const stored = new Map();
class Store {
  constructor(model) {
    this.model = model;
  }
  async upsert(id, payload) {
    stored.set(`${this.model}:${id}`, payload);
  }
  async find(id) {
    return stored.get(`${this.model}:${id}`);
  }
  async destroy(id) {
    stored.delete(`${this.model}:${id}`);
  }
  async consume() {}
  async revokeByGrantId() {}
}

/** What a token request asks for beside the standard's parameters. */
const wishes = (ctx) => ctx?.oidc?.body ?? {};
const parsed = (text) => (text === undefined ? {} : JSON.parse(text));

function resourceServer(ctx, identifier) {
  const { alg, audience, format = "jwt", lifetime = "300", scope = "" } = wishes(ctx);
  const key = alg === undefined
    ? state.keys.find(({ kid }) => kid === state.signing)
    : state.keys.findLast((candidate) => candidate.alg === alg);
  if (!key) throw new Error(`no key for ${alg ?? state.signing}`);
  return {
    scope,
    audience: audience ?? identifier,
    accessTokenTTL: Number(lifetime),
    accessTokenFormat: format,
    jwt: { sign: { alg: key.alg, kid: key.kid } },
  };
}

/** A user's access token without a browser: the provider's own model, behind a grant of ours. */
async function userGrant(ctx) {
  const { provider, client, params } = ctx.oidc;
  const token = new provider.AccessToken({
    client,
    accountId: params.sub,
    scope: params.scope,
    resourceServer: new provider.ResourceServer(params.resource, resourceServer(ctx, params.resource)),
    expiresIn: Number(wishes(ctx).lifetime ?? 300),
    gty: "test",
  });
  ctx.body = { access_token: await token.save(), token_type: "Bearer", expires_in: token.expiration, scope: token.scope };
}

function makeProvider(issuer) {
  const client = (client_id, client_secret, grant_types) => ({
    client_id, client_secret, grant_types, redirect_uris: [], response_types: [],
  });
  const provider = new Provider(issuer, {
    adapter: Store,
    jwks: { keys: state.keys },
    clientDefaults: { id_token_signed_response_alg: state.keys.at(-1).alg },
    enabledJWA: { idTokenSigningAlgValues: [...new Set(state.keys.map(({ alg }) => alg))] },
    clients: [
      client("service", SECRET, ["client_credentials", USER_GRANT]),
      client("gate", SECRET, []),
      client(ODD.id, ODD.secret, []),
    ],
    extraTokenClaims: (ctx) => parsed(wishes(ctx).claims),
    formats: {
      customizers: {
        jwt: (ctx, token, jwt) => {
          const { claims, header } = wishes(ctx);
          for (const [name, value] of Object.entries(parsed(claims))) {
            if (value === null) delete jwt.payload[name];
            else jwt.payload[name] = value;
          }
          jwt.header = parsed(header);
        },
      },
    },
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      introspection: { enabled: true, allowedPolicy: () => true },
      resourceIndicators: { enabled: true, getResourceServerInfo: resourceServer },
      revocation: { enabled: true, allowedPolicy: () => true },
    },
    renderError: (ctx, out) => {
      ctx.body = out;
    },
  });
  provider.registerGrantType(USER_GRANT, userGrant, ["sub", "scope", "resource"]);
  provider.on("server_error", (ctx, error) => console.error(error));
  return provider.callback();
}

function answer(request, response) {
  const endpoint = ENDPOINTS[new URL(request.url, "http://localhost").pathname] ?? "other";
  state.counts[endpoint] = (state.counts[endpoint] ?? 0) + 1;
  for (const [name, value] of Object.entries(state.headers[endpoint] ?? {})) response.setHeader(name, value);
  const fault = state.faults[endpoint] ?? { kind: "none" };
  FAULTS[fault.kind](request, response, fault, serve);
}

async function listen(server, port) {
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  return server.address().port;
}

/** What a test asks for: one object in, one object out. */
const OPERATIONS = {
  add_key: async ({ alg, kid }) => ({ kid: await addKey(alg, kid) }),
  remove_key: ({ kid }) => {
    state.keys = state.keys.filter((key) => key.kid !== kid);
  },
  sign_with: ({ kid }) => {
    state.signing = kid;
  },
  fault: ({ endpoint, ...fault }) => {
    state.faults[endpoint] = fault;
  },
  headers: ({ endpoint, headers }) => {
    state.headers[endpoint] = headers;
  },
  counts: () => state.counts,
  down: async () => {
    const closed = once(server, "close");
    server.close();
    server.closeAllConnections();
    await closed;
  },
  up: async () => {
    await listen(server, port);
  },
};

const admin = createServer(async (request, response) => {
  try {
    const { op, ...details } = JSON.parse((await request.toArray()).join(""));
    const result = (await OPERATIONS[op](details)) ?? {};
    // A provider reads its keys once: with other keys it is another provider, as after a deployment.
    if (op.endsWith("_key")) serve = makeProvider(issuer);
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify(result));
  } catch (error) {
    response.writeHead(500).end(String(error.stack));
  }
});

const server = createServer(answer);
for (const alg of algorithms) await addKey(alg);
state.signing = state.keys[0].kid;
const port = await listen(server, 0);
const issuer = `http://127.0.0.1:${port}`;
serve = makeProvider(issuer);
ready({ issuer, admin: `http://127.0.0.1:${await listen(admin, 0)}/`, kid: state.signing, secret: SECRET, odd: ODD });
