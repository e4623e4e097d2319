// Region and masks of one camera: drawn here, handed out for the site file, never applied from here.

import { byId, el, setText, showTheme } from "../dom.js";
import { get, post, showPerson, signIn, takeTokenFromAddress, whoAmI } from "../person.js";
import { Editor } from "./editor.js";
import { fromDeployed, remove, toBody } from "./shapes.js";

takeTokenFromAddress();
showTheme();

const editor = new Editor(byId("canvas"), show);
let cameras = [];
const camera = () => cameras.find((c) => c.name === byId("camera").value);

function hint({ draft, shapes }) {
  if (draft) return draft.points.length < 3 ? `Mark the corners of the ${draft.kind} on the picture; ${draft.points.length ? "three at least" : "or take a rectangle (the dot in the middle)"}.` : "Press on the first point, or press Enter, to close it.";
  return shapes.length ? "Pull a white point; a yellow one adds a point; pull the outline to move all. Keys: Tab, arrows (Shift: farther), + and Delete." : "Nothing drawn: all of the picture is looked at.";
}

function show(state) {
  setText(byId("hint"), hint(state));
  byId("undo").disabled = !state.draft && !state.undone.length;
  let masks = 0;
  const rows = state.shapes.map(({ kind, points }, index) => {
    const name = kind === "region" ? "Region" : `Mask ${(masks += 1)}`;
    return el("li", {}, el("button", { class: "kind", type: "button", "aria-pressed": index === state.chosen ? "true" : "false", onclick: () => editor.choose(index) }, name),
      el("span", { class: "dim" }, `${points.length} points`), el("button", { class: "quiet", type: "button", onclick: () => editor.change(remove(editor.shapes, index)) }, "Remove"));
  });
  byId("shapes").replaceChildren(...(rows.length ? rows : [el("li", { class: "empty" }, "Neither region nor masks.")]));
  forget();
}

// What was proposed before is not what is drawn now.
function forget() {
  for (const id of ["answer", "yaml", "take"]) byId(id).hidden = true;
}

function picture() {
  const { name, seq } = camera();
  const blank = (why) => el("div", { class: "blank" }, why);
  if (seq == null) return editor.picture(blank("No picture of this camera yet. Draw on the empty frame, or send one and press “Newest picture”."));
  const image = el("img", { alt: `${name} #${seq}`, draggable: "false", src: `/api/image/${encodeURIComponent(name)}/${seq}?large` });
  image.addEventListener("error", () => editor.picture(blank("The last picture cannot be shown; its shape may differ from this frame.")));
  editor.picture(image);
}

async function ask() {
  const response = await get("/api/regions");
  if (response.status === 401) return signIn();
  const answer = await response.json();
  cameras = answer.cameras;
  return answer;
}

function open() {
  picture();
  editor.load(fromDeployed(camera()));
  history.replaceState(null, "", `?camera=${encodeURIComponent(camera().name)}`);
}

async function propose() {
  const response = await post("/api/actions/propose-regions", toBody(camera().name, editor.shapes));
  if (response.status === 401 && me?.signs_in) return signIn();
  const answer = await response.json();
  setText(byId("answer"), answer.message);
  byId("answer").className = response.ok ? "ok" : "bad";
  byId("answer").hidden = false;
  byId("yaml").hidden = byId("take").hidden = !response.ok;
  if (!response.ok) return;
  setText(byId("yaml"), answer.yaml);
  byId("download").href = URL.createObjectURL(new Blob([answer.yaml], { type: "application/yaml" }));
  byId("download").download = answer.file;
}

const failed = () => {
  setText(byId("answer"), "The core does not answer.");
  byId("answer").className = "bad";
  byId("answer").hidden = false;
};

async function copy() {
  // Without HTTPS there is no clipboard: then the text is marked, for Ctrl+C.
  try {
    await navigator.clipboard.writeText(byId("yaml").textContent);
    setText(byId("copy"), "Copied");
  } catch {
    getSelection().selectAllChildren(byId("yaml"));
    setText(byId("copy"), "Marked: press Ctrl+C");
  }
  setTimeout(() => setText(byId("copy"), "Copy"), 3000);
}

for (const button of document.querySelectorAll("[data-draw]")) button.addEventListener("click", () => editor.draw(button.dataset.draw));
byId("tools").addEventListener("submit", (event) => event.preventDefault());
byId("undo").addEventListener("click", () => editor.undo());
byId("camera").addEventListener("change", open);
byId("new-picture").addEventListener("click", () => ask().then(picture, failed));
byId("deployed").addEventListener("click", () => editor.change(fromDeployed(camera())));
byId("propose").addEventListener("click", () => propose().catch(failed));
byId("copy").addEventListener("click", copy);
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && editor.draft?.points.length) editor.close();
  else if (event.key === "Escape" && editor.draft) { editor.draft = null; editor.show(); }
  else if (event.key === "z" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); editor.undo(); }
});

const me = await whoAmI().catch(() => null);
showPerson(me);
const answer = await ask().catch(failed);
if (answer) {
  byId("camera").replaceChildren(...cameras.map((c) => el("option", {}, c.name)));
  const asked = new URLSearchParams(location.search).get("camera");
  if (cameras.some((c) => c.name === asked)) byId("camera").value = asked;
  byId("propose").disabled = answer.read_only || (me?.signs_in && !me.acts.includes("propose-regions"));
  if (byId("propose").disabled) byId("propose").title = answer.read_only ? "this core is read-only" : "proposals are for operators";
  if (cameras.length) open();
  else setText(byId("hint"), "This group has no cameras of Fanfold.");
}
