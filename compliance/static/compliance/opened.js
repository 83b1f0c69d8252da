// Tells the server, once, that this page has really been on the screen: a tab in the background does not count.
(() => {
  "use strict";
  const form = document.getElementById("cp-opened");
  if (!form) return;
  let told = false;

  const tell = (triesLeft) => {
    const again = () => { if (triesLeft > 0) window.setTimeout(() => tell(triesLeft - 1), 2000); };
    fetch(form.action, { method: "POST", body: new FormData(form), credentials: "same-origin", keepalive: true })
      .then((answer) => { if (answer.status >= 500) again(); }, again);
  };
  const look = () => {
    if (told || document.visibilityState !== "visible") return;
    told = true;
    document.removeEventListener("visibilitychange", look);
    tell(3);
  };
  document.addEventListener("visibilitychange", look);
  look();
})();
