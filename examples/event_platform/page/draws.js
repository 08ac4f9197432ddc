// The same as draws.py, for whoever wants to check in their own browser.

const bytes = (hex) => Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));
const hex = (buffer) => Array.from(new Uint8Array(buffer), (byte) => byte.toString(16).padStart(2, "0")).join("");

async function ranked(draw) {
  const key = await crypto.subtle.importKey("raw", bytes(draw.seed), { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  const ranks = await Promise.all(draw.candidates.map(async (candidate) => {
    const text = new TextEncoder().encode(`${draw.prize_id}:${draw.number}:${candidate}`);
    return [hex(await crypto.subtle.sign("HMAC", key, text)), candidate];
  }));
  return ranks.sort(([one], [other]) => (one < other ? -1 : 1)).map(([, candidate]) => candidate);
}

export async function problemOf(draw, commitment) {
  if (hex(await crypto.subtle.digest("SHA-256", bytes(draw.seed))) !== commitment) return "not the seed that was promised";
  const [winner] = await ranked(draw);
  return winner === draw.winner ? null : "the seed makes somebody else win";
}
