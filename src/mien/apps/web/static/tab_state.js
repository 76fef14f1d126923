// What this tab holds: the picture that was read last, so that the other pages can send it again. Nothing outlives the tab.
export const tab = { photo: null, came: [] };

// photo: { blob, name, result }; result is what /readings said of it, or null.
export function hold(blob, name, result = null) {
  tab.photo = { blob, name, result };
}
