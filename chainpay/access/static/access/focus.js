// Puts the cursor where the page wants it: while styles are still on their way, browsers drop `autofocus` at times.
(() => {
  "use strict";
  const wanted = document.querySelector("[autofocus]");
  if (wanted && document.activeElement === document.body) wanted.focus();
})();
