"use strict";
window.ui = SwaggerUIBundle({
  dom_id: "#swagger-ui",
  url: "docs/openapi.json",
  validatorUrl: null, // it would send the document to another host
  deepLinking: true,
  docExpansion: "list",
  tryItOutEnabled: true,
  displayRequestDuration: true,
  defaultModelsExpandDepth: 0,
  supportedSubmitMethods: ["get"],
});
