"""The equations of the book as short reference code, one function per equation, only torch.

Every numbered equation of the chapters has a test named after its label; the appendix lists them.
"""
