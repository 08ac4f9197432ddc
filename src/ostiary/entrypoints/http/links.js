"use strict";
// What each link does. Nothing is sent before somebody says so: programs that follow links must not use them up.
const ACTIONS = {
  "register": { path: "register/confirm", password: true, signsIn: true },
  "verify-email": { path: "verification/email/confirm" },
  "change-email": { path: "verification/email/confirm" },
  "reset-password": { path: "password/reset", password: "new_password" },
  "sign-in-link": { path: "login/link/confirm", signsIn: true },
  "invitation": { path: "invitations/accept", password: true, signsIn: true },
  "undo-address-change": { path: "address-change/undo" },
  "undo-factor-reset": { path: "factor-reset/cancel" },
  "undo-deletion": { path: "account-deletion/cancel" },
};
const WORDS = {
  en: {
    "register": ["Finish your registration", "Choose a password, and your account is made.", "Register", "Your account is made, and you are signed in."],
    "verify-email": ["Confirm your e-mail address", "This confirms that the address is yours.", "Confirm", "Your e-mail address is confirmed."],
    "change-email": ["Confirm your new e-mail address", "Your account uses the new address from then on.", "Confirm", "Your account uses the new address now."],
    "reset-password": ["Choose a new password", "You are signed out everywhere, and sign in with the new password.", "Set password", "Your password is set. You can sign in with it now."],
    "sign-in-link": ["Sign in", "You sign in on this device, in this browser.", "Sign in", "You are signed in."],
    "invitation": ["Accept your invitation", "Choose a password, and your account is made.", "Accept", "Your account is made, and you are signed in."],
    "undo-address-change": ["Keep your old address", "The change is undone, and everybody is signed out of your account.", "Undo the change", "The change is undone. Sign in again, and choose a new password."],
    "undo-factor-reset": ["Keep your second steps", "They are not removed from your account.", "Stop it", "Your second steps stay. Choose a new password if somebody else may know it."],
    "undo-deletion": ["Keep your account", "It is not deleted.", "Keep it", "Your account stays. You can sign in."],
    password: "Password", incomplete: "This link is incomplete. Open it again from the message.", more: "One more step is needed: sign in where you always do.",
    offline: "The server could not be reached. Try again.", failed: "This did not work. The link may be used up or too old: ask for a new one.",
  },
  de: {
    "register": ["Registrierung abschließen", "Wählen Sie ein Passwort, und Ihr Konto wird angelegt.", "Registrieren", "Ihr Konto ist angelegt, und Sie sind angemeldet."],
    "verify-email": ["E-Mail-Adresse bestätigen", "Damit bestätigen Sie, dass die Adresse Ihnen gehört.", "Bestätigen", "Ihre E-Mail-Adresse ist bestätigt."],
    "change-email": ["Neue E-Mail-Adresse bestätigen", "Ihr Konto verwendet danach die neue Adresse.", "Bestätigen", "Ihr Konto verwendet jetzt die neue Adresse."],
    "reset-password": ["Neues Passwort wählen", "Sie werden überall abgemeldet und melden sich mit dem neuen Passwort an.", "Passwort setzen", "Ihr Passwort ist gesetzt. Sie können sich jetzt damit anmelden."],
    "sign-in-link": ["Anmelden", "Sie melden sich auf diesem Gerät in diesem Browser an.", "Anmelden", "Sie sind angemeldet."],
    "invitation": ["Einladung annehmen", "Wählen Sie ein Passwort, und Ihr Konto wird angelegt.", "Annehmen", "Ihr Konto ist angelegt, und Sie sind angemeldet."],
    "undo-address-change": ["Alte Adresse behalten", "Die Änderung wird rückgängig gemacht, und alle werden von Ihrem Konto abgemeldet.", "Rückgängig machen", "Die Änderung ist rückgängig gemacht. Melden Sie sich an und wählen Sie ein neues Passwort."],
    "undo-factor-reset": ["Zweite Schritte behalten", "Sie werden nicht von Ihrem Konto entfernt.", "Aufhalten", "Ihre zweiten Schritte bleiben. Wählen Sie ein neues Passwort, falls es jemand anderes kennt."],
    "undo-deletion": ["Konto behalten", "Es wird nicht gelöscht.", "Behalten", "Ihr Konto bleibt bestehen. Sie können sich anmelden."],
    password: "Passwort", incomplete: "Dieser Link ist unvollständig. Öffnen Sie ihn noch einmal aus der Nachricht.", more: "Es fehlt noch ein Schritt: Melden Sie sich dort an, wo Sie es immer tun.",
    offline: "Der Server ist nicht zu erreichen. Versuchen Sie es noch einmal.", failed: "Das hat nicht geklappt. Der Link ist vielleicht verbraucht oder zu alt: Fordern Sie einen neuen an.",
  },
};

const part = (id) => document.getElementById(id);
const language = navigator.languages.map((tag) => tag.slice(0, 2)).find((tag) => tag in WORDS) || "en";
const words = WORDS[language];
const name = location.pathname.split("/").pop();
const action = ACTIONS[name];
const token = new URLSearchParams(location.hash.slice(1)).get("token");
const [title, text, label, done] = words[name];

function say(what, wrong) {
  part("said").textContent = what;
  part("said").classList.toggle("wrong", Boolean(wrong));
}

function body() {
  const sent = { token };
  if (action.signsIn) sent.delivery = "cookie";
  if (action.password) sent[action.password === true ? "password" : action.password] = part("new-password").value;
  return JSON.stringify(sent);
}

async function act(event) {
  event.preventDefault();
  part("button").disabled = true;
  say("");
  try {
    const answer = await fetch("../v1/" + action.path, { method: "POST", headers: { "content-type": "application/json" }, body: body() });
    if (answer.ok) {
      const found = answer.status === 204 ? {} : await answer.json();
      part("form").hidden = true;
      part("text").hidden = true;
      say(found.status === undefined || found.status === "signed_in" || found.status === "accepted" ? done : words.more);
      return;
    }
    const problem = await answer.json().catch(() => ({}));
    // What is wrong with a password is worth reading; whatever else it is, the link does not work.
    say(problem.code === "password_unacceptable" || problem.code === "too_many_attempts" ? problem.detail : words.failed, true);
  } catch {
    say(words.offline, true);
  }
  part("button").disabled = false;
}

document.documentElement.lang = language;
document.title = title;
part("title").textContent = title;
part("button").textContent = label;
part("label").textContent = words.password;
// It need not stay in the address, the history, or a photograph of the screen.
history.replaceState(null, "", location.pathname);
if (token) {
  part("text").textContent = text;
  part("password").hidden = !action.password;
  part("new-password").required = Boolean(action.password);
  part("form").hidden = false;
  part("form").addEventListener("submit", act);
} else {
  say(words.incomplete, true);
}
