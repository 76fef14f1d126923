"""The Gradio page as a Space. Copy this folder there."""

from mien.apps.gradio import build_page

demo = build_page()

if __name__ == "__main__":
    demo.launch()
