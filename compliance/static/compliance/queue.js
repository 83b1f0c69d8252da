// The review queue by keyboard: "/" search, "j" and "k" rows, Enter opens, "x" selects, "?" help. Works without it too.
"use strict";

const rows = [...document.querySelectorAll(".cp-queue tbody tr")];
const boxes = [...document.querySelectorAll('.cp-queue input[name="row"]')];
const all = document.getElementById("cp-all");
const count = document.querySelector(".cp-bulk-count");

const show = () => {
  const picked = boxes.filter((box) => box.checked).length;
  boxes.forEach((box) => box.closest("tr").classList.toggle("cp-picked", box.checked));
  if (count) count.textContent = picked ? `${picked} selected:` : "With those selected:";
  if (all) {
    all.checked = picked > 0 && picked === boxes.length;
    all.indeterminate = picked > 0 && picked < boxes.length;
  }
};

const here = () => rows.findIndex((row) => row.contains(document.activeElement));

const go = (place) => {
  const row = rows[Math.max(0, Math.min(place, rows.length - 1))];
  if (!row) return;
  row.querySelector(".cp-open").focus();
  row.scrollIntoView({ block: "nearest" });
};

const keys = {
  "/": () => document.getElementById("filter_q").focus(),
  j: () => go(here() + 1),
  k: () => go(here() < 0 ? 0 : here() - 1),
  x: () => {
    const box = here() < 0 ? null : rows[here()].querySelector('input[name="row"]');
    if (box) box.click();
  },
  "?": () => {
    const help = document.getElementById("cp-help");
    help.open = !help.open;
    help.querySelector("summary").focus();
  },
};

if (all) {
  all.hidden = false;
  all.addEventListener("change", () => {
    boxes.forEach((box) => { box.checked = all.checked; });
    show();
  });
}
boxes.forEach((box) => box.addEventListener("change", show));
rows.forEach((row) => {
  row.addEventListener("focusin", () => row.classList.add("cp-here"));
  row.addEventListener("focusout", () => row.classList.remove("cp-here"));
});
document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input:not([type=checkbox]), textarea, select");
  if (typing || event.ctrlKey || event.metaKey || event.altKey || !keys[event.key]) return;
  event.preventDefault();
  keys[event.key]();
});
// The browser may bring boxes back as they were when the page is shown again.
window.addEventListener("pageshow", show);
