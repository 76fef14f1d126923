// The image that was read last in this tab, so that other pages can send it again. It is gone when the tab is closed.
// photo: { blob, name, result }; result is the response of /readings for it, or null.
export const tab = { photo: null };

export function keepPhoto(blob, name, result = null) {
  tab.photo = { blob, name, result };
}
