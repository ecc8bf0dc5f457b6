"""What tests look for in a figure."""

from matplotlib.text import Text


def panels(figure):
    """The panels of a figure, colour bars left out."""
    return [axes for axes in figure.axes if axes.get_label() != "<colorbar>"]


def letters(figure):
    return [axes.get_title(loc="left")[:3] for axes in panels(figure)]


def texts(figure):  # lines joined
    return [" ".join(text.get_text().split()) for text in figure.findobj(Text) if text.get_visible()]


def curve(axes, label):
    return next(line for line in axes.lines if line.get_label() == label)
