import { problemOf } from "./draws.js";

const at = (id) => document.getElementById(id);
const promised = new Map();

async function ask(path, options = {}) {
  const answer = await fetch(path, options);
  const content = answer.status === 204 ? null : await answer.json();
  if (answer.ok) return content;
  const problem = content.detail?.detail ?? content.detail;
  throw new Error(typeof problem === "string" ? problem : "This was not understood.");
}

const send = (path, body) =>
  ask(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });

function element(name, text, properties = {}) {
  return Object.assign(document.createElement(name), { textContent: text, ...properties });
}

// Whatever fails says so on the page.
function trying(work) {
  return async (event) => {
    event?.preventDefault();
    at("state").value = "";
    try {
      await work(event?.target);
    } catch (error) {
      at("state").value = error.message;
    }
  };
}

async function showRooms() {
  const rooms = await ask("/rooms");
  at("rooms").replaceChildren(...rooms.map((room) => {
    const item = element("li", "");
    item.append(element("button", room.title, { onclick: trying(() => showRoom(room)) }));
    return item;
  }));
}

async function showRoom(room) {
  const [prizes, winners] = await Promise.all(["prizes", "winners"].map((what) => ask(`/rooms/${room.id}/${what}`)));
  at("room").hidden = false;
  at("room").querySelector("h2").textContent = room.title;
  at("prizes").replaceChildren(...prizes.map((prize) => shownPrize(room, prize)));
  at("winners").replaceChildren(...await Promise.all(winners.map((winner) => shownWinner(prizes, winner))));
}

function shownPrize(room, prize) {
  const item = element("li", `${prize.quantity} × ${prize.title} `);
  // What was promised before a draw is remembered here: what the server says afterwards proves nothing.
  const draw = `${prize.id}:${prize.draws + 1}`;
  if (!promised.has(draw)) promised.set(draw, prize.commitment);
  item.append(element("button", "Draw", {
    onclick: trying(async () => {
      await send(`/rooms/${room.id}/prizes/${prize.id}/draws`, {});
      await showRoom(room);
    }),
  }));
  item.append(element("br"), element("code", `next draw: ${prize.commitment}`));
  return item;
}

async function shownWinner(prizes, winner) {
  const { draw } = winner.metadata;
  const noted = promised.get(`${draw.prize_id}:${draw.number}`);
  const problem = await problemOf(draw, noted ?? draw.commitment);
  const title = prizes.find((prize) => prize.id === winner.prize_id)?.title;
  const item = element("li", `${title}: ${winner.participant_id} `, { className: winner.revoked_at ? "revoked" : "" });
  const verdict = problem ?? (noted ? "as was promised here" : "as its seed says");
  item.append(element("strong", verdict, { className: problem ? "unfair" : "fair" }));
  item.append(element("br"), element("code", `seed: ${draw.seed}`));
  return item;
}

at("sign-in").onsubmit = trying(async (form) => {
  await send("/auth/v1/login", { ...Object.fromEntries(new FormData(form)), delivery: "cookie" });
  at("state").value = "Signed in.";
});

trying(async () => {
  const providers = await ask("/auth/v1/providers");
  at("providers").replaceChildren(...providers.filter(({ start }) => start).map((provider) =>
    element("a", `Sign in with ${provider.label}`, { href: `${provider.start}?return_to=/` })));
  await showRooms();
})();
