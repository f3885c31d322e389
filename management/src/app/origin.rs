//! From where a call came: known at the door, written down with what the call does, of no interest to anything in between.
//! So it does not travel through every use case, but with the task that answers the call.

pub use crate::store::audit::Origin;

tokio::task_local! {
    static ORIGIN: Origin;
}

/// Answers a call that came from there.
pub async fn from<F: Future>(origin: Origin, answering: F) -> F::Output {
    ORIGIN.scope(origin, answering).await
}

/// Answers a call from where this task's call came, which is answered under this id.
pub async fn answered_as<F: Future>(request_id: &str, answering: F) -> F::Output {
    let origin = Origin {
        request_id: Some(request_id.to_owned()),
        ..current()
    };
    from(origin, answering).await
}

/// From where this task's call came; nowhere for what the hub does by itself.
#[must_use]
pub fn current() -> Origin {
    ORIGIN.try_with(Clone::clone).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_origin_lasts_as_long_as_its_call() {
        let origin = Origin {
            source: Some("192.0.2.1".parse().unwrap()),
            user_agent: Some("aws-cli/2".to_owned()),
            ..Origin::default()
        };
        let (first, second) = from(origin.clone(), async {
            let first = current();
            let second = answered_as("one", async { current() }).await;
            (first, second)
        })
        .await;
        assert_eq!(first, origin);
        assert_eq!(
            second,
            Origin {
                request_id: Some("one".to_owned()),
                ..origin
            }
        );
        assert_eq!(current(), Origin::default());
    }
}
