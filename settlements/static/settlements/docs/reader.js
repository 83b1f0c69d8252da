"use strict";

/* Shows the document that this page names, and asks no other host for anything. */
SwaggerUIBundle({
  domNode: document.getElementById("reader"),
  url: document.getElementById("reader").dataset.document,
  deepLinking: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  defaultModelRendering: "example",
  displayRequestDuration: true,
  filter: true,
  tryItOutEnabled: false,
  validatorUrl: null,
});
