// The model that this tab uses.
import { announce } from "./dom.js";
import { storage } from "./api.js";

export function start(root) {
  const select = root.querySelector("[data-choose] select");
  if (!select) return;
  const model = storage.get("model");
  if (model && [...select.options].some(option => option.value === model)) select.value = model;
  select.addEventListener("change", () => {
    storage.set("model", select.value);
    announce(`This tab uses the model ${select.value} now`);
  });
}
