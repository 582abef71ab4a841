//! Tokens to a tree: precedence climbing with bounds on length, depth and size.

use std::ops::Range;

use super::error::Flaw;
use super::node::{Binary, CONDITIONAL_POWER, Function, Literal, Node, NodeKind, UNARY_POWER};
use super::suggest::closest;
use super::token::{Spanned, Token, tokens};

const LONGEST_TEXT: usize = 4096;
/// Nesting of parentheses, calls and unary operators.
const DEEPEST: usize = 64;
/// Nodes of the tree; it bounds the recursion over long chains such as `1 + 1 + 1 + ...`.
const MOST_NODES: usize = 512;

pub(super) fn parse(text: &str) -> Result<Node, Flaw> {
    if text.len() > LONGEST_TEXT {
        let problem = format!("the expression is longer than {LONGEST_TEXT} bytes");
        return Err(Flaw::new(0..0, problem));
    }
    let mut parser = Parser {
        tokens: tokens(text)?,
        at: 0,
        depth: 0,
        nodes: 0,
    };
    if parser.peek().token == Token::End {
        return Err(Flaw::new(0..0, "the expression is empty"));
    }
    let root = parser.expression(0)?;
    let next = parser.peek().clone();
    if next.token == Token::End {
        return Ok(root);
    }
    if next.token == Token::Close {
        return Err(Flaw::new(next.span, "this parenthesis closes nothing"));
    }
    Err(missing_operator(&root, &next, text))
}

struct Parser {
    tokens: Vec<Spanned>,
    at: usize,
    depth: usize,
    nodes: usize,
}

impl Parser {
    /// Reads everything that holds at least as tightly as `least`.
    fn expression(&mut self, least: u8) -> Result<Node, Flaw> {
        self.depth += 1;
        if self.depth > DEEPEST {
            let problem = format!("the expression is nested deeper than {DEEPEST} levels");
            return Err(Flaw::new(self.peek().span.clone(), problem));
        }
        let mut left = self.operand()?;
        loop {
            left = if let Token::Binary(operator) = self.peek().token
                && operator.power().0 >= least
            {
                self.binary(left, operator)?
            } else if self.peek().token == Token::Question && CONDITIONAL_POWER >= least {
                self.conditional(left)?
            } else {
                break;
            };
        }
        self.depth -= 1;
        Ok(left)
    }

    fn binary(&mut self, left: Node, operator: Binary) -> Result<Node, Flaw> {
        let place = self.advance().span;
        let right = self.expression(operator.power().1)?;
        let span = left.span.start..right.span.end;
        let node = self.node(NodeKind::Binary(operator, Box::new([left, right])), span)?;
        match (operator, &self.peek().token) {
            (Binary::Compare(_), Token::Binary(Binary::Compare(_))) => {
                let flaw = Flaw::new(
                    place.start..self.peek().span.end,
                    "comparisons cannot be chained",
                );
                Err(flaw.hint("write a < b && b < c"))
            }
            _ => Ok(node),
        }
    }

    fn conditional(&mut self, condition: Node) -> Result<Node, Flaw> {
        let question = self.advance().span;
        let then = self.expression(CONDITIONAL_POWER)?;
        if self.peek().token != Token::Colon {
            return Err(Flaw::new(question, "\"?\" has no \":\"").hint("write condition ? a : b"));
        }
        self.advance();
        let otherwise = self.expression(CONDITIONAL_POWER)?;
        let span = condition.span.start..otherwise.span.end;
        self.node(
            NodeKind::Conditional(Box::new([condition, then, otherwise])),
            span,
        )
    }

    fn operand(&mut self) -> Result<Node, Flaw> {
        let Spanned { token, span } = self.advance();
        match token {
            Token::Literal(literal) => self.node(NodeKind::Literal(literal), span),
            Token::Name(name) => self.node(NodeKind::Name(name), span),
            Token::Function(word) => self.call(&word, span),
            Token::Binary(Binary::Subtract) => {
                let inner = self.expression(UNARY_POWER)?;
                let span = span.start..inner.span.end;
                self.node(NodeKind::Negate(Box::new(inner)), span)
            }
            Token::Not => {
                let inner = self.expression(UNARY_POWER)?;
                let span = span.start..inner.span.end;
                self.node(NodeKind::Not(Box::new(inner)), span)
            }
            Token::Open => {
                let inner = self.expression(0)?;
                let end = self.close(span.start)?;
                // The span takes in the parentheses, so that a part of the text can be cut out along it.
                Ok(Node {
                    span: span.start..end,
                    ..inner
                })
            }
            Token::End => Err(Flaw::new(
                span,
                "the expression stops where a number or name is needed",
            )),
            Token::Binary(_) | Token::Close | Token::Comma | Token::Question | Token::Colon => {
                Err(Flaw::new(span, "a number or name is missing here"))
            }
        }
    }

    fn call(&mut self, word: &str, span: Range<usize>) -> Result<Node, Flaw> {
        let Some(function) = Function::ALL
            .into_iter()
            .find(|function| function.name() == word)
        else {
            let meant = closest(word, Function::ALL.into_iter().map(Function::name));
            return Err(
                Flaw::new(span, format!("there is no function {word:?}")).did_you_mean(meant)
            );
        };
        let open = self.advance().span.start;
        let mut arguments = Vec::new();
        if self.peek().token != Token::Close {
            arguments.push(self.expression(0)?);
            while self.peek().token == Token::Comma {
                self.advance();
                arguments.push(self.expression(0)?);
            }
        }
        let end = self.close(open)?;
        let span = span.start..end;
        let wanted = function.arity();
        if arguments.is_empty() || wanted.is_some_and(|wanted| wanted != arguments.len()) {
            let wanted = wanted.map_or("at least 1".into(), |wanted| wanted.to_string());
            let problem = format!("{word} takes {wanted} argument(s), not {}", arguments.len());
            return Err(Flaw::new(span, problem));
        }
        self.node(NodeKind::Call(function, arguments), span)
    }

    fn close(&mut self, open: usize) -> Result<usize, Flaw> {
        let next = self.peek().clone();
        if next.token == Token::Close {
            return Ok(self.advance().span.end);
        }
        if next.token == Token::End {
            return Err(Flaw::new(open..open + 1, "this parenthesis is not closed"));
        }
        Err(Flaw::new(
            next.span,
            "an operator, \",\" or \")\" is missing before this",
        ))
    }

    fn node(&mut self, kind: NodeKind, span: Range<usize>) -> Result<Node, Flaw> {
        self.nodes += 1;
        if self.nodes > MOST_NODES {
            let problem =
                format!("the expression has more than {MOST_NODES} numbers and operators");
            return Err(Flaw::new(span, problem));
        }
        Ok(Node { kind, span })
    }

    fn peek(&self) -> &Spanned {
        // The last token is `End`, and nothing advances past it.
        &self.tokens[self.at]
    }

    fn advance(&mut self) -> Spanned {
        let token = self.tokens[self.at].clone();
        self.at = (self.at + 1).min(self.tokens.len() - 1);
        token
    }
}

fn missing_operator(before: &Node, next: &Spanned, text: &str) -> Flaw {
    let word = &text[next.span.clone()];
    let flaw = Flaw::new(
        next.span.clone(),
        format!("an operator is missing before {word:?}"),
    );
    let instead = match word {
        "and" => "&&",
        "or" => "||",
        _ => return flaw.did_you_mean(joined(before, word).as_deref()),
    };
    Flaw::new(next.span.clone(), format!("{word:?} is not an operator")).did_you_mean(Some(instead))
}

/// `200 ms` is meant to be `200ms`, `10%3` to be `10 % 3`.
fn joined(before: &Node, word: &str) -> Option<String> {
    let mut last = before;
    while let Some(child) = last.children().last() {
        last = child;
    }
    let NodeKind::Literal(Literal { digits, ending, .. }) = &last.kind else {
        return None;
    };
    match super::node::Ending::parse(word) {
        Some(_) if *ending == super::node::Ending::None => Some(format!("{digits}{word}")),
        None if *ending == super::node::Ending::Percent => Some(format!("{digits} % {word}")),
        _ => None,
    }
}
