export async function ask(path, body) {
  const answer = await fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  if (answer.status === 204) return null;
  const content = await answer.json();
  if (!answer.ok) throw new Error(content.detail);
  return content;
}

export async function addPasskey(label) {
  const { ceremony, options } = await ask("/auth/v1/me/passkeys/options", {});
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(options);
  const credential = await navigator.credentials.create({ publicKey });
  return ask("/auth/v1/me/passkeys", { ceremony, credential: credential.toJSON(), label });
}

export async function signIn(how = {}) {
  const { ceremony, options } = await ask("/auth/v1/login/passkey/options", {});
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options);
  const credential = await navigator.credentials.get({ publicKey, ...how });
  return ask("/auth/v1/login/passkey", { ceremony, credential: credential.toJSON(), delivery: "cookie" });
}

// Waits until somebody chooses a passkey in the field with autocomplete="username webauthn"; `signal` ends the waiting.
export async function offerPasskeys(signal) {
  if (!(await PublicKeyCredential.isConditionalMediationAvailable?.())) throw new Error("No autofill here.");
  return signIn({ mediation: "conditional", signal });
}
