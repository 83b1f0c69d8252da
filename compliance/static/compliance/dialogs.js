// Opens the acts of a settlement as dialogs; without this script their links lead to the same forms as pages.
(() => {
  "use strict";
  const submitByKey = (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    event.currentTarget.requestSubmit();
  };
  const submitOnce = (event) => {
    const form = event.currentTarget;
    if (form.dataset.sent) { event.preventDefault(); return; }
    form.dataset.sent = "yes";
    for (const button of form.querySelectorAll("button[type=submit]")) button.setAttribute("aria-disabled", "true");
  };
  // The admin's own script writes the name of a chosen file into a text field beside it; here the browser shows the name.
  document.addEventListener("change", (event) => {
    if (event.target.matches("form.cp-form input[type=file]")) event.stopPropagation();
  }, true);
  for (const form of document.querySelectorAll("form.cp-form")) {
    form.addEventListener("keydown", submitByKey);
    form.addEventListener("submit", submitOnce);
  }
  // Back in the browser's history the page may come out of its memory, with its forms sent.
  window.addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    for (const form of document.querySelectorAll("form.cp-form")) {
      delete form.dataset.sent;
      for (const button of form.querySelectorAll("button[type=submit]")) button.removeAttribute("aria-disabled");
    }
  });
  for (const opener of document.querySelectorAll("a[data-dialog]")) {
    const dialog = document.getElementById(opener.dataset.dialog);
    if (!dialog || typeof dialog.showModal !== "function") continue;
    opener.setAttribute("aria-haspopup", "dialog");
    opener.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      dialog.showModal();
    });
    dialog.addEventListener("close", () => opener.focus());
    for (const button of dialog.querySelectorAll("[data-close]")) {
      button.addEventListener("click", (event) => { event.preventDefault(); dialog.close(); });
    }
    // Tab goes round inside of the dialog.
    dialog.addEventListener("keydown", (event) => {
      if (event.key !== "Tab") return;
      const all = [...dialog.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea")];
      const [first, last] = [all[0], all[all.length - 1]];
      if (event.shiftKey && document.activeElement === first) { event.preventDefault(); last.focus(); }
      else if (!event.shiftKey && document.activeElement === last) { event.preventDefault(); first.focus(); }
    });
  }
})();
