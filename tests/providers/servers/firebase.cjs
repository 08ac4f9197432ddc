// The emulator of Firebase Authentication and nothing else of firebase-tools: no download, no account, no telemetry.
const { createApp } = require("firebase-tools/lib/emulator/auth/server.js");

createApp("demo-ostiary").then((app) => app.listen(Number(process.env.PROVIDER_PORT), "127.0.0.1"));
