"""All commands with their shortcuts, from which the menus, the keyboard bindings and the list of keys are made."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tkinter import ttk
from typing import Any, NamedTuple, Protocol

from mien.apps.desktop.application import PAGES
from mien.apps.desktop.dialogs import IMAGE_FORMATS, DialogOwner, Dialogs
from mien.apps.desktop.images import ImageAnnotator
from mien.apps.desktop.saving import VIDEO_FORMATS
from mien.apps.desktop.settings import TEXT_SIZES, THEMES, modifier_key
from mien.apps.desktop.state import short_model_name
from mien.apps.desktop.style import create_menu

#: The names of the pages.
PAGE_NAMES = dict(zip(PAGES, ("Photo", "Camera", "Video", "Explain", "Models"), strict=True))


class CommandOwner(DialogOwner, Protocol):
    """The part of the main window that commands use."""

    dialogs: Dialogs

    def copy(self, kind: str) -> None: ...
    def paste(self) -> None: ...
    def press(self, key: str) -> None: ...
    def step(self, step: int) -> None: ...
    def toggle_camera(self) -> None: ...
    def change_text_size(self, steps: int) -> None: ...
    def toggle_full_screen(self) -> None: ...
    def quit(self) -> None: ...


class PageOwner(CommandOwner, Protocol):
    """The part of the main window that pages use."""

    annotator: ImageAnnotator
    menus: CommandMenus

    def describe_input(self, files: str) -> str: ...
    def explain_camera(self, live: bool) -> None: ...


class Command(NamedTuple):
    """``keys`` are Tk's names joined by ``-``, such as ``Mod-Shift-o``; ``Mod`` is Control, or Command on a Mac."""

    menu: str
    text: str
    run: Callable[[], object]
    keys: str = ""

    @property
    def shortcut(self) -> str:
        """The keys as they are displayed, such as ``Ctrl+Shift+O``."""
        names = {"Mod": "⌘" if modifier_key() == "Command" else "Ctrl", "Prior": "Page Up", "Next": "Page Down"}
        names |= {"plus": "+", "minus": "-", "space": "Space", "Escape": "Esc", "0": "0"}
        return "+".join(names.get(key, key.upper() if len(key) == 1 else key) for key in self.keys.split("-"))


class CommandMenus:
    """The menu bar, the menus behind buttons, and the shortcuts."""

    def __init__(self, window: CommandOwner) -> None:
        self._window = window
        self.commands = self._create_commands()
        self._variables: dict[str, tk.StringVar] = {}
        self._bar: tk.Menu | None = None

    @property
    def shortcuts(self) -> list[tuple[str, str]]:
        """The texts of the commands that have keys, and these keys."""
        return [(command.text, command.shortcut) for command in self.commands if command.keys]

    def attach(self) -> None:
        """Create the menu bar and bind the shortcuts, for a window that was just built."""
        root = self._window.root
        if self._bar is not None:
            self._bar.destroy()
        bar = self._bar = create_menu(self._window.theme, root)
        for name in ("File", "Edit", "View", "Analyse", "Help"):
            bar.add_cascade(label=name, menu=self._create_menu(bar, name), underline=0)
        root.configure(menu=bar)
        for kind in ("TButton", "TRadiobutton", "TCheckbutton"):
            root.bind_class(kind, "<Return>", lambda event: event.widget.invoke())
        for command in self.commands:
            if command.keys:
                for sequence in _event_sequences(command.keys):
                    root.bind(sequence, lambda event, command=command: self._handle_keys(event, command))  # type: ignore[misc]

    def create_save_button(self, parent: tk.Misc, kind: str) -> ttk.Menubutton:
        """The button Save with its menu, for ``images`` or ``video``."""
        button = ttk.Menubutton(parent, text=" Save", image=self._window.theme.icon("save"), compound="left")
        button.configure(menu=self._create_format_menu(button, kind))
        return button

    def _create_commands(self) -> list[Command]:
        window, application, dialogs = self._window, self._window.application, self._window.dialogs
        images, state = application.images, application.state
        pages = [
            Command("View", PAGE_NAMES[page], partial(application.show_page, page), f"Mod-{place}")
            for place, page in enumerate(PAGES, 1)
        ]
        return [
            Command("File", "Open images…", dialogs.open_images, "Mod-o"),
            Command("File", "Open a folder…", dialogs.open_folder, "Mod-Shift-o"),
            Command("File", "Open a video…", dialogs.open_video, "Mod-m"),
            Command("File", "Save annotated image…", lambda: dialogs.save_images("image"), "Mod-s"),
            Command("File", "Close image", images.close_current, "Mod-w"),
            Command("File", "Close all images", images.clear, "Mod-Shift-w"),
            Command("File", "Quit", window.quit, "Mod-q"),
            Command("Edit", "Copy as JSON", lambda: window.copy("json"), "Mod-c"),
            Command("Edit", "Copy as CSV", lambda: window.copy("csv"), "Mod-Shift-c"),
            Command("Edit", "Paste an image", window.paste, "Mod-v"),
            *pages,
            Command("View", "Previous image", lambda: window.step(-1), "Prior"),
            Command("View", "Next image", lambda: window.step(1), "Next"),
            Command("View", "Previous face", lambda: images.step_face(-1), "p"),
            Command("View", "Next face", lambda: images.step_face(1), "n"),
            Command("View", "Larger text", lambda: window.change_text_size(1), "Mod-plus"),
            Command("View", "Smaller text", lambda: window.change_text_size(-1), "Mod-minus"),
            Command("View", "Default text size", lambda: state.change_settings(text=1.0), "Mod-0"),
            Command("View", "Full screen", window.toggle_full_screen, "F11"),
            Command("Analyse", "Start or stop the camera", window.toggle_camera, "F5"),
            Command("Analyse", "Play or pause", lambda: window.press("space"), "space"),
            Command("Analyse", "Snapshot", lambda: window.press("s"), "s"),
            Command("Analyse", "Evidence map", lambda: window.press("w"), "w"),
            Command("Analyse", "Layers below the camera", lambda: window.press("i"), "i"),
            Command("Analyse", "Smoothing", lambda: window.press("t"), "t"),
            Command("Analyse", "Cancel", application.cancel, "Escape"),
            Command("Help", "Keyboard", lambda: dialogs.show_keys(self.shortcuts), "F1"),
            Command("Help", "About mien", dialogs.show_about),
        ]

    # Menus

    def _create_menu(self, bar: tk.Menu, name: str) -> tk.Menu:
        groups = ("Save annotated image…", "Close image", "Quit", "Previous image", "Larger text")
        menu = create_menu(self._window.theme, bar)
        for command in self.commands:
            if command.menu == name:
                if command.text in groups:
                    menu.add_separator()
                menu.add_command(label=command.text, command=command.run, accelerator=command.shortcut)
                self._add_submenus(menu, command.text)
        return menu

    def _add_submenus(self, menu: tk.Menu, text: str) -> None:
        """The submenus that follow a command."""
        match text:
            case "Open a video…":
                recent = create_menu(self._window.theme, menu)
                recent.configure(postcommand=lambda: self._fill_recent(recent))
                menu.add_cascade(label="Open recent", menu=recent)
            case "Save annotated image…":
                for name, kind in (("Save image results", "images"), ("Save video results", "video")):
                    menu.add_cascade(label=name, menu=self._create_format_menu(menu, kind))
            case "Full screen":
                themes = {theme: "system setting" if theme == "system" else theme for theme in THEMES}
                self._add_setting(menu, "Appearance", "theme", themes)
                self._add_setting(menu, "Text size", "text", {size: f"{100 * size:.0f} %" for size in TEXT_SIZES})
            case "Cancel":
                menu.add_separator()
                for name, part in (("Model", "model"), ("Face detector", "detector")):
                    submenu = create_menu(self._window.theme, menu)
                    submenu.configure(postcommand=partial(self._fill_names, submenu, part))
                    menu.add_cascade(label=name, menu=submenu)

    def _add_setting(self, menu: tk.Menu, name: str, setting: str, texts: dict[Any, str]) -> None:
        """A submenu with the values of a setting."""
        state = self._window.application.state
        submenu = create_menu(self._window.theme, menu)
        current = getattr(state.settings, setting)
        self._add_choices(submenu, setting, texts, current, lambda value: state.change_settings(**{setting: value}))
        menu.add_cascade(label=name, menu=submenu)

    def _fill_names(self, menu: tk.Menu, part: str) -> None:
        """The names of models or detectors, listed when the menu is opened."""
        state = self._window.application.state
        menu.delete(0, "end")
        texts = {name: short_model_name(name) for name in state.names(part)}
        current = getattr(state.selection, part)
        self._add_choices(menu, part, texts, current, lambda name: state.change_selection(**{part: name}))

    def _add_choices(
        self, menu: tk.Menu, name: str, texts: dict[Any, str], current: object, choose: Callable[[Any], object]
    ) -> None:
        """Values of which one is selected, by their texts."""
        variable = self._variables[name] = tk.StringVar(self._window.root, str(current))
        for value, text in texts.items():
            menu.add_radiobutton(label=text, value=str(value), variable=variable, command=partial(choose, value))

    def _fill_recent(self, menu: tk.Menu) -> None:
        application = self._window.application
        menu.delete(0, "end")
        for recent in map(Path, application.state.settings.recent):
            menu.add_command(label=recent.name, command=partial(application.open, [recent]))
        if not application.state.settings.recent:
            menu.add_command(label="no recent files", state="disabled")
            return
        menu.add_separator()
        menu.add_command(label="Clear the list", command=lambda: application.state.change_settings(recent=()))

    def _create_format_menu(self, parent: tk.Misc, kind: str) -> tk.Menu:
        """The formats of the results of ``images`` or ``video``."""
        dialogs, menu = self._window.dialogs, create_menu(self._window.theme, parent)
        texts = {name: text for name, (text, *_) in (IMAGE_FORMATS if kind == "images" else VIDEO_FORMATS).items()}
        for name, text in texts.items():
            save = dialogs.save_images if kind == "images" else dialogs.save_video
            menu.add_command(label=f"{text}…", command=partial(save, name))
        return menu

    # The keyboard

    def _handle_keys(self, event: tk.Event[tk.Misc], command: Command) -> str | None:
        """Run the command, unless the keys belong to the widget with the focus: text to a field, Space to a button."""
        in_field = isinstance(event.widget, ttk.Entry | tk.Entry) and str(event.widget.cget("state")) != "readonly"
        if in_field and ("-" not in command.keys or command.menu == "Edit"):
            return None
        if command.keys == "space" and isinstance(event.widget, ttk.Button | ttk.Checkbutton | ttk.Radiobutton):
            return None
        if event.widget.winfo_toplevel() is not self._window.root:
            return None
        command.run()
        return "break"


def _event_sequences(keys: str) -> list[str]:
    """Tk's events for these keys; a letter with Shift is the capital letter."""
    *modifiers, key = keys.split("-")
    prefix = "".join(f"{modifier_key() if name == 'Mod' else name}-" for name in modifiers)
    if "Shift" in modifiers:
        return [f"<{prefix}{key.upper()}>"]
    if len(key) == 1 and key.isdigit():
        return [f"<{prefix}Key-{key}>"]
    if key == "plus":
        return [f"<{prefix}plus>", f"<{prefix}equal>", f"<{prefix}KP_Add>"]
    if key == "minus":
        return [f"<{prefix}minus>", f"<{prefix}KP_Subtract>"]
    return [f"<{prefix}{key}>"] if modifiers or len(key) > 1 else [f"<Key-{key}>"]
