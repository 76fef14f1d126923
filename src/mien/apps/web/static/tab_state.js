// The image that was read last in this tab, so that other pages can send it again. It is gone when the tab is closed.
// photo: { blob, name, result, tags, image }; the last three are those of readImage, or null before it was read.
export const tab = { photo: null };

export function keepPhoto(blob, name, { result = null, tags = null, image = null } = {}) {
  tab.photo = { blob, name, result, tags, image };
}
