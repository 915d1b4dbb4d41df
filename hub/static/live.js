// Applies what the hub draws to the page that it drew: each part replaces the element of the same id.
// The page works without this module; with it, nothing is reloaded and what changed is marked for two seconds.

const CUT_AFTER_MS = 45_000; // three of the hub's signs of life
const MARK_MS = 2_000;
const AGAIN_MS = 5_000;

const address = document.body.dataset.stream;
const cut = document.getElementById("cut");
const pulse = document.getElementById("pulse");
let heardAt = Date.now();
let source;

function values(element) {
  const found = new Map();
  const site = element.closest("[data-site]");
  for (const one of element.querySelectorAll("[data-key]")) {
    const owner = one.closest("[data-site]") ?? site;
    found.set(`${owner?.dataset.site} ${one.dataset.key}`, one);
  }
  return found;
}

function mark(before, after) {
  for (const [key, one] of values(after)) {
    const old = before.get(key);
    if (old !== undefined && old !== one.dataset.value) {
      one.classList.add("changed");
      setTimeout(() => one.classList.remove("changed"), MARK_MS);
    }
  }
}

function replace(id, html) {
  const old = document.getElementById(id);
  if (!old) return;
  if (old.hasAttribute("data-plain")) {
    if (old.textContent !== html) old.textContent = html; // read aloud again only when it differs
    return;
  }
  const before = new Map([...values(old)].map(([key, one]) => [key, one.dataset.value]));
  const focused = old.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
  const template = document.createElement("template");
  template.innerHTML = html.trim();
  const fresh = template.content.firstElementChild;
  old.replaceWith(fresh);
  mark(before, fresh);
  if (focused !== null) fresh.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
}

function alive() {
  heardAt = Date.now();
  if (pulse) pulse.textContent = pulse.dataset.live;
  if (cut) cut.hidden = true;
  document.body.classList.remove("is-cut");
}

function apply(event) {
  alive();
  for (const [id, html] of Object.entries(JSON.parse(event.data).parts)) replace(id, html);
}

// Nothing heard for too long: what stands here may no longer be true, so it must not look as if it were.
function look() {
  if (Date.now() - heardAt <= CUT_AFTER_MS || document.body.classList.contains("is-cut")) return;
  const time = new Date(heardAt).toLocaleTimeString(document.documentElement.lang, { hour: "2-digit", minute: "2-digit" });
  document.body.classList.add("is-cut");
  if (cut) {
    cut.textContent = cut.dataset.text.replace("{time}", time);
    cut.hidden = false;
  }
  if (pulse) pulse.textContent = "";
  for (const figure of document.querySelectorAll("[data-figure]")) figure.textContent = "?";
  for (const use of document.querySelectorAll(".shape use")) {
    use.setAttribute("href", "#unknown");
    use.parentElement.setAttribute("class", "shape is-unknown");
  }
  connect(); // a fresh connection begins with everything as it is now
}

function connect() {
  source?.close();
  source = new EventSource(address);
  source.onmessage = apply;
  source.addEventListener("alive", alive);
  source.onerror = () => {
    if (source.readyState === EventSource.CLOSED) setTimeout(connect, AGAIN_MS); // refused, not merely cut
  };
}

connect();
setInterval(look, 5_000);
document.addEventListener("visibilitychange", look);
